//! The central property: the result depends neither on the number of threads nor on where the recording was cut into files.
//!
//! Captures of `testdata`, of the directory that `SMTPSCOPE_CAPTURES` names, and generated ones are cut at random packets. What
//! the commands make of the parts, with several numbers of threads, is to be octet for octet what they make of the whole with
//! one; only the list of files may differ. `SMTPSCOPE_SEEDS` sets how many captures are generated.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use analysis::extract::{self, Selection, Wanted};
use analysis::insights::{Assessment, FindingOptions};
use analysis::message::MessageOptions;
use analysis::plan::Plan;
use analysis::report::Capture;
use analysis::session::Options;
use analysis::{context, features, insights, log, run, summary};
use benches::generator::mixed;
use capture::CaptureReader;
use kit::{Interface, KitPacket, PcapNgWriter};

/// What each command writes, by its name; of `extract` each file.
type Written = BTreeMap<String, Vec<u8>>;

/// Packets, each with its link type.
type Recording = Vec<(u16, KitPacket)>;

/// Runs every command over these files.
fn written(files: &[PathBuf], jobs: usize) -> Written {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().expect("threads");
    pool.install(|| {
        let plan = Plan::new(files);
        let options = Options::default();
        let findings = FindingOptions::default();
        let without_files = |capture: Capture| Capture { files: Vec::new(), ..capture };
        let mut written_by = Written::new();
        let mut put = |name: &str, write: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).expect("a vector takes everything");
            written_by.insert(name.to_owned(), out);
        };
        let message = MessageOptions { body: true, hashes: true, ..MessageOptions::default() };
        let (lines, capture) = features::read(&plan, Options { message, ..options }).expect("features");
        put("features", &|out| lines.write(&without_files(capture.clone()), out));
        let mut lines = Vec::new();
        let (log, capture) = log::read(&plan, options, Some(&findings), &mut lines).expect("log");
        log.finish(&without_files(capture)).expect("log");
        put("log", &|out| out.write_all(&lines));
        let mut report = run::analyse(&plan, options);
        report.capture.files.clear();
        let wanted = insights::Options {
            queries: true,
            response_codes: true,
            internal_domains: vec!["example.org".to_owned()],
            tunneling: true,
        };
        let found = Assessment::of(&report, &findings);
        put("insights", &|out| insights::write(&report, &found, &wanted, out));
        put("context", &|out| context::write(&report, &found, &context::Options::EVERYTHING, out));
        let (overview, capture) = summary::read(&plan, options, Some(&findings));
        put("summary", &|out| overview.write(&without_files(capture.clone()), out));
        let directory = tempfile::tempdir().expect("a directory");
        let message = MessageOptions { kept_limit: 0, ..MessageOptions::default() };
        let wanted =
            Wanted { directory: directory.path().to_owned(), selection: Selection::default(), attachments: true };
        let (extraction, _) = extract::read(&plan, Options { message, ..options }, wanted).expect("extract");
        extraction.finish().expect("extract");
        for entry in fs::read_dir(directory.path()).expect("the directory") {
            let entry = entry.expect("a file");
            let octets = fs::read(entry.path()).expect("a file");
            put(&entry.file_name().into_string().unwrap(), &|out| out.write_all(&octets));
        }
        written_by
    })
}

/// The packets of a capture, as far as it can be read.
fn recording(path: &Path) -> Recording {
    let mut packets = Vec::new();
    let Ok(mut reader) = CaptureReader::open(path) else { return packets };
    while let Ok(Some(packet)) = reader.next_packet() {
        let original_len = usize::try_from(packet.original_len).unwrap();
        let packet_of_kit = KitPacket { nanos: packet.timestamp.as_nanos(), data: packet.data.to_vec(), original_len };
        packets.push((u16::try_from(packet.link_type.0).unwrap_or(u16::MAX), packet_of_kit));
    }
    packets
}

/// Writes some packets as a file that has an interface for each link type of the whole recording.
fn part(directory: &Path, number: usize, packets: &[(u16, KitPacket)], link_types: &[u16]) -> PathBuf {
    let interface = |link_type| Interface { link_type, tsresol: Some(9), ..Interface::default() };
    let start = link_types
        .iter()
        .fold(PcapNgWriter::new().section(), |writer, &link_type| writer.interface(interface(link_type)));
    let file = packets.iter().fold(start, |writer, (link_type, packet)| {
        let number = link_types.iter().position(|of| of == link_type).unwrap();
        writer.enhanced(u32::try_from(number).unwrap(), packet)
    });
    let path = directory.join(format!("part-{number:04}.pcapng"));
    fs::write(&path, file.file()).expect("a file");
    path
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// Places at which a recording can be cut: files are put in order by the time at which they begin, so it can be cut where
/// time does not go back.
fn places(recording: &Recording) -> Vec<usize> {
    let mut latest = i64::MIN;
    let mut places = Vec::new();
    for (place, (_, packet)) in recording.iter().enumerate() {
        if place > 0 && packet.nanos >= latest && packet.nanos - latest < A_DAY {
            places.push(place);
        }
        latest = latest.max(packet.nanos);
    }
    places
}

/// In nanoseconds. A leap like this may be a corrupt time, which a file is not ordered by.
const A_DAY: i64 = 86_400_000_000_000;

/// Cuts a recording at up to six places and holds what is made of the parts against what is made of the whole.
fn assert_same(name: &str, recording: &Recording, random: &mut Random) {
    if recording.is_empty() {
        return;
    }
    let mut link_types: Vec<u16> = recording.iter().map(|&(link_type, _)| link_type).collect();
    link_types.sort_unstable();
    link_types.dedup();
    let directory = tempfile::tempdir().expect("a directory");
    let whole = part(directory.path(), 0, recording, &link_types);
    let expected = written(std::slice::from_ref(&whole), 1);
    assert_equal(&written(&[whole], 3), &expected, &format!("{name}, not cut, 3 threads"));
    let places = places(recording);
    for jobs in [1, 2, 3, 8] {
        let mut cuts: Vec<usize> =
            (0..random.below(7)).filter_map(|_| places.get(random.below(places.len())).copied()).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let ends = cuts.iter().copied().chain([recording.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let mut files: Vec<PathBuf> = starts
            .zip(ends)
            .enumerate()
            .map(|(number, (from, to))| part(directory.path(), number + 1, &recording[from..to], &link_types))
            .collect();
        // They come in any order.
        let by = random.below(files.len());
        files.rotate_left(by);
        assert_equal(&written(&files, jobs), &expected, &format!("{name}, cut at {cuts:?}, {jobs} threads"));
    }
}

#[track_caller]
fn assert_equal(found: &Written, expected: &Written, what: &str) {
    assert!(found.keys().eq(expected.keys()), "{what}: {:?} and not {:?}", found.keys(), expected.keys());
    for (name, octets) in found {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let (found, expected) = (text(octets), text(&expected[name]));
        if let Some((found, expected)) = found.lines().zip(expected.lines()).find(|(a, b)| a != b) {
            panic!("{what}: {name} differs:\n{found}\n{expected}");
        }
        assert_eq!(found.len(), expected.len(), "{what}: {name}");
    }
}

fn assert_captures_of(directory: &Path, seed: u64) -> usize {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).expect("captures").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut random, mut captures) = (Random(seed), 0);
    for path in paths.iter().filter(|path| path.is_file()) {
        let recording = recording(path);
        captures += usize::from(!recording.is_empty());
        assert_same(&path.display().to_string(), &recording, &mut random);
    }
    captures
}

#[test]
fn recorded_captures_can_be_cut_anywhere() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    assert!(assert_captures_of(&testdata, 1) > 40);
}

#[test]
fn captures_of_others_can_be_cut_anywhere() {
    if let Some(directory) = std::env::var_os("SMTPSCOPE_CAPTURES") {
        assert!(assert_captures_of(Path::new(&directory), 2) > 0);
    }
}

#[test]
fn generated_traffic_can_be_cut_anywhere() {
    let seeds = std::env::var("SMTPSCOPE_SEEDS").map_or(30, |seeds| seeds.parse().expect("a number"));
    for seed in 0..seeds {
        let recording: Recording = mixed(seed).into_iter().map(|packet| (1, packet)).collect();
        assert_same(&format!("seed {seed}"), &recording, &mut Random(seed));
    }
}

/// Two taps, or three, whose packets are merged by time: one direction each, or whatever each of them saw.
#[test]
fn recordings_that_overlap_in_time_are_merged() {
    for seed in 0..30 {
        let mut random = Random(seed);
        // No two packets of one moment: which of them was the first is not in the files.
        let packets = mixed(seed).into_iter().zip(0..);
        let recording: Recording =
            packets.map(|(packet, number)| (1, KitPacket { nanos: packet.nanos + number, ..packet })).collect();
        let directory = tempfile::tempdir().expect("a directory");
        let expected = written(&[part(directory.path(), 0, &recording, &[1])], 1);
        for taps in [2, 3] {
            let mut seen = vec![Recording::new(); taps];
            for packet in &recording {
                seen[random.below(taps)].push(packet.clone());
            }
            let files: Vec<PathBuf> = seen
                .iter()
                .enumerate()
                .filter(|(_, packets)| !packets.is_empty())
                .map(|(number, packets)| part(directory.path(), number + 1, packets, &[1]))
                .collect();
            for jobs in [1, 3] {
                assert_equal(&written(&files, jobs), &expected, &format!("seed {seed}, {taps} taps, {jobs} threads"));
            }
        }
    }
}

/// One input that goes on for several of a reader's buffers, and others that begin and end meanwhile: it is read alone, then
/// merged, then alone again.
#[test]
fn an_input_that_others_overlap_now_and_then_is_merged_with_each() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("whole.pcap");
    let file = std::io::BufWriter::new(fs::File::create(&path).expect("a file"));
    benches::generator::generate(benches::generator::Profile::LargeMails, 8_000_000, file).expect("a capture");
    let packets = recording(&path).into_iter().zip(0..);
    let recording: Recording =
        packets.map(|((link, packet), number)| (link, KitPacket { nanos: packet.nanos + number, ..packet })).collect();
    let expected = written(&[part(directory.path(), 0, &recording, &[1])], 1);
    let mut inputs = vec![Recording::new(); 4];
    for (number, packet) in recording.iter().enumerate() {
        // Of each quarter but the first, the middle is shared with another input.
        let (quarter, place) = (number * 4 / recording.len(), number % (recording.len() / 4).max(1));
        let shared = quarter > 0 && (recording.len() / 16..recording.len() / 8).contains(&place) && number % 2 == 0;
        inputs[if shared { quarter } else { 0 }].push(packet.clone());
    }
    assert!(inputs.iter().all(|packets| packets.len() > 50));
    let files: Vec<PathBuf> =
        inputs.iter().enumerate().map(|(number, packets)| part(directory.path(), number + 1, packets, &[1])).collect();
    for jobs in [1, 3] {
        assert_equal(&written(&files, jobs), &expected, &format!("{jobs} threads"));
    }
}

/// Equal messages are in one file of `extract`, which is named by the first that ended, whatever thread had it.
#[test]
fn equal_messages_have_the_name_of_the_first() {
    let mut recording = Recording::new();
    for number in 0..200_u16 {
        let talk = kit::Conversation::new(&format!("192.0.2.1:{}", 1_024 + number * 7), "198.51.100.25:25")
            .start(1_700_000_000_000_000_000 + i64::from(number) * 1_000_000_000)
            .handshake()
            .server(b"220 mx.example.net\r\n")
            .client(b"HELO client.example.org\r\n")
            .server(b"250 mx.example.net\r\n")
            .client(format!("MAIL FROM:<sender-{number}@example.org>\r\n").as_bytes())
            .server(b"250 ok\r\n")
            .client(b"RCPT TO:<b@example.net>\r\n")
            .server(b"250 ok\r\n")
            .client(b"DATA\r\n")
            .server(b"354 go on\r\n")
            .client(b"Subject: to all\r\n\r\nthe same\r\n.\r\n")
            .server(b"250 taken\r\n")
            .client(b"QUIT\r\n")
            .server(b"221 bye\r\n")
            .close();
        recording.extend(talk.packets().into_iter().map(|packet| (1, packet)));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = part(directory.path(), 0, &recording, &[1]);
    for jobs in [1, 3] {
        let names: Vec<String> = written(std::slice::from_ref(&file), jobs).into_keys().collect();
        let messages: Vec<&String> = names.iter().filter(|name| name.contains("sender")).collect();
        assert!(matches!(messages.as_slice(), [name] if name.contains("sender-0")), "{jobs} threads: {names:?}");
    }
}

/// Larger than a round of batches, so that shards work on one while the next is read.
#[test]
fn a_capture_of_many_batches_is_the_same_with_any_number_of_threads() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.pcap");
    let file = std::io::BufWriter::new(fs::File::create(&path).expect("a file"));
    benches::generator::generate(benches::generator::Profile::Reordered, 12_000_000, file).expect("a capture");
    let expected = written(std::slice::from_ref(&path), 1);
    for jobs in [2, 3, 8] {
        assert_equal(&written(std::slice::from_ref(&path), jobs), &expected, &format!("{jobs} threads"));
    }
}
