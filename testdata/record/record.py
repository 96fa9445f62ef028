"""Starts the servers, runs the scenarios, and leaves captures and facts in testdata/."""
import contextlib
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import traceback

import clients
import facts
import servers

TESTDATA = pathlib.Path(__file__).resolve().parent.parent
SCENARIOS = {}
LIMIT = 100_000


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


class Recorder:
    """One tcpdump. `notes` and the facts are handed in with `expect` before the block ends."""

    def __init__(self, name, which, interface="lo", options=(), suffix="pcap"):
        self.name, self.path = name, TESTDATA / f"{name}.{suffix}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        raw = servers.SCRATCH / f"{name.replace('/', '-')}.raw"
        self.raw, self.suffix, self.sessions, self.merge = raw, suffix, None, []
        raw.unlink(missing_ok=True)
        self.process = subprocess.Popen(["tcpdump", "-Z", "root", "-i", interface, "-n", "-s", "0", "-U", "--immediate-mode", "-B", "16384", *options,
                                         "-w", str(raw), f"({which}) and not port 12345"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.process.stderr.readline()):
            if not line:
                raise RuntimeError("tcpdump did not start")
        time.sleep(0.1)

    def stop(self, wait=0.4):
        if self.process.returncode is None:
            time.sleep(wait)
            self.process.send_signal(signal.SIGINT)
            summary = self.process.communicate(timeout=10)[1]
            if "\n0 packets dropped by kernel" not in summary:
                raise RuntimeError(f"{self.name}: tcpdump lost packets:\n{summary}")

    def expect(self, sessions, notes, others=0, open_places=()):
        self.sessions, self.notes, self.others, self.open_places = sessions, notes, others, open_places


@contextlib.contextmanager
def capture(name, which="tcp", **options):
    clients.transcript.clear()
    recorder = Recorder(name, which, **options)
    try:
        yield recorder
    finally:
        recorder.stop()
        folder = servers.SCRATCH / "transcripts"
        folder.mkdir(exist_ok=True)
        (folder / f"{name.replace('/', '-')}.txt").write_text("\n".join(clients.transcript))
    if recorder.suffix == "pcapng":
        subprocess.run(["mergecap", "-F", "pcapng", "-w", recorder.path, recorder.raw, *recorder.merge], check=True)
    else:
        shutil.copyfile(recorder.raw, recorder.path)
    finish(recorder)


def finish(recorder):
    size = recorder.path.stat().st_size
    problems = [f"{recorder.path.name}: {size} octets are too many"] if size > LIMIT else []
    if recorder.sessions is not None:
        problems += facts.write_facts(recorder.path, recorder.path.with_suffix(".json"), recorder.sessions, recorder.notes,
                                      recorder.others, recorder.open_places)
    print(f"{recorder.path.name}: {size} octets" + (", no facts" if recorder.sessions is None else ""))
    for problem in problems:
        print(f"  PROBLEM {problem}")
    FAILED.extend(problems)


def cut_into_parts(path, folder, count):
    """The packets of one capture in several files of about equal numbers of packets."""
    packets = int(subprocess.run(["capinfos", "-Mc", "-T", "-r", path], check=True, capture_output=True, text=True).stdout.split()[-1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    step = -(-packets // count)
    for n in range(count):
        subprocess.run(["editcap", "-F", "pcap", "-r", path, folder / f"part-{n + 1}.pcap", f"{n * step + 1}-{(n + 1) * step}"], check=True)


FAILED = []


def main(names):
    sys.modules["record"] = sys.modules["__main__"]
    import scenarios  # noqa: F401  the scenarios register themselves
    import mail_scenarios  # noqa: F401
    for name in names:
        if name not in SCENARIOS:
            raise SystemExit(f"record.py: no scenario {name}; there are {', '.join(SCENARIOS)}")
    try:
        servers.start_all()
        for name in names or SCENARIOS:
            try:
                SCENARIOS[name]()
            except Exception:
                FAILED.append(name)
                print(f"  PROBLEM {name}")
                traceback.print_exc(limit=-4)
            sys.stdout.flush()
    finally:
        servers.stop_all()
    print(f"problems: {len(FAILED)}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
