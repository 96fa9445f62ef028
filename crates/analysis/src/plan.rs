//! Which captures to read, and in which order: by the time at which they begin, as one recording.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use capture::{CaptureReader, ReaderLimits, Timestamp};
use rayon::prelude::*;

use crate::progress::Progress;
use crate::source;

/// An input that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its path; `-` for standard input.
    pub path: PathBuf,
    /// When it begins; `None` where it has no packet, or can be read only once.
    pub(crate) begins: Option<Timestamp>,
}

/// An input that cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path as given.
    pub path: PathBuf,
    /// What is wrong and what to do, without a full stop.
    pub message: String,
    /// The limit that is in the way, by its name in a report.
    pub limit_reached: Option<&'static str>,
}

/// What the arguments come down to.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which they are to be read.
    pub inputs: Vec<Input>,
    /// Named or found, but not readable; in the order of their names.
    pub unreadable: Vec<Unreadable>,
    /// Of the run that reads them.
    pub progress: Progress,
}

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

impl Plan {
    /// Expands directories, looks at the first packets of each file and sorts. Files of a directory that are no captures
    /// are passed over in silence; a directory without any capture is an error of its own.
    pub fn new(arguments: &[PathBuf]) -> Self {
        let mut plan = Self::default();
        let mut named: Vec<(PathBuf, bool)> = Vec::new();
        for argument in arguments {
            if argument.as_os_str() != STANDARD_INPUT && argument.is_dir() {
                match captures_in(argument) {
                    Ok(files) if files.is_empty() => plan.refuse(argument, "a directory without captures"),
                    Ok(files) => named.extend(files.into_iter().map(|file| (file, true))),
                    Err(e) => plan.refuse(argument, &format!("cannot list the directory: {e}")),
                }
            } else {
                named.push((argument.clone(), false));
            }
        }
        let looked_at: Vec<_> = named
            .into_par_iter()
            .map(|(path, from_directory)| {
                let begins = beginning(&path);
                (path, from_directory, begins)
            })
            .collect();
        let mut seen = HashSet::new();
        for (path, from_directory, begins) in looked_at {
            match begins {
                Ok(begins) => {
                    // A file named twice is one file, whatever its names are.
                    if seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                        plan.inputs.push(Input { path, begins });
                    }
                }
                Err(e) if from_directory && e.is_about_something_else() => {}
                Err(e) => {
                    let limit_reached = e.limit_reached();
                    plan.unreadable.push(Unreadable { path, message: e.to_string(), limit_reached });
                }
            }
        }
        plan.inputs.sort_by(|a, b| (a.begins, &a.path).cmp(&(b.begins, &b.path)));
        plan
    }

    /// Octets of all inputs as they lie on the disk; `None` where one of them can be read only once.
    pub fn octets(&self) -> Option<u64> {
        let octets = |input: &Input| input.path.metadata().ok().filter(|_| !is_read_once(&input.path));
        self.inputs.iter().map(|input| Some(octets(input)?.len())).sum()
    }

    fn refuse(&mut self, path: &Path, what: &str) {
        let message = format!("{}: {what}; name a pcap or pcapng file, or a directory with some", path.display());
        self.unreadable.push(Unreadable { path: path.to_owned(), message, limit_reached: None });
    }
}

impl Input {
    /// Opens it for reading, within these limits. What is read of it is counted.
    ///
    /// # Errors
    /// Those of [`CaptureReader::open`].
    pub fn open(&self, limits: ReaderLimits, progress: &Progress) -> Result<CaptureReader, capture::Error> {
        let source = source::open(&self.path, progress)?;
        CaptureReader::new_with_limits(source, self.path.clone(), limits).map(CaptureReader::decompressing_ahead)
    }

    /// Whether it can be read only once.
    pub(crate) fn is_read_once(&self) -> bool {
        is_read_once(&self.path)
    }
}

/// The files of a directory whose first octets are those of a capture, in the order of their names. Not recursive.
fn captures_in(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() && !CaptureReader::open(&path).is_err_and(|e| e.is_about_something_else()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether it can be read only once: standard input, and what is named but no file, such as a pipe.
pub(crate) fn is_read_once(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT || path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

/// When a file begins. What is read once cannot be looked at without taking from it: it comes first.
///
/// The time of one packet may be damaged, and would put the file, with every connection in it, before or behind all others.
/// So it is the first time that is near the middle one of the first packets.
fn beginning(path: &Path) -> Result<Option<Timestamp>, capture::Error> {
    if is_read_once(path) {
        return Ok(None);
    }
    let mut reader = CaptureReader::open(path)?;
    let mut times = Vec::with_capacity(FIRST_PACKETS);
    // What is wrong behind the file's header is told when it is read.
    while times.len() < FIRST_PACKETS
        && let Ok(Some(packet)) = reader.next_packet()
    {
        times.push(packet.timestamp);
    }
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len().saturating_sub(1) / 2).copied();
    Ok(middle.and_then(|middle| {
        times.into_iter().find(|&time| time.since(middle).max(middle.since(time)) <= NEAR_THE_MIDDLE)
    }))
}

/// Packets that are looked at to know when a file begins.
const FIRST_PACKETS: usize = 16;
/// In packet time. Most damage to the seconds of a time makes more of it.
const NEAR_THE_MIDDLE: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn testdata() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.inputs.iter().filter_map(|input| Some(input.path.file_name()?.to_str()?.to_owned())).collect()
    }

    /// The contract: files "are put in capture order by packet time".
    #[test]
    fn inputs_are_in_order_of_their_first_packets() {
        let rotated = testdata().join("rotated");
        let parts = ["part-3.pcap", "part-1.pcap", "part-2.pcap"].map(|name| rotated.join(name));
        assert_eq!(names(&Plan::new(&parts)), ["part-1.pcap", "part-2.pcap", "part-3.pcap"]);
    }

    #[test]
    fn one_damaged_time_does_not_misplace_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let parts = ["part-1.pcap", "part-2.pcap", "part-3.pcap"];
        for damaged in parts {
            for (bits, packet) in [(0_u32, 0), (u32::MAX, 0), (0, 1), (u32::MAX, 1)] {
                for part in parts {
                    let mut octets = std::fs::read(testdata().join("rotated").join(part)).expect("a file");
                    if part == damaged {
                        // A header of 24 octets, then records of 16 and as many as their third number says.
                        let len = u32::from_le_bytes(octets[32..36].try_into().expect("four octets"));
                        let at = 24 + packet * (16 + usize::try_from(len).expect("a length"));
                        octets[at..at + 4].copy_from_slice(&bits.to_le_bytes());
                    }
                    std::fs::write(directory.path().join(part), octets).expect("a file");
                }
                assert_eq!(
                    names(&Plan::new(&parts.map(|part| directory.path().join(part)))),
                    parts,
                    "{damaged} {bits}"
                );
            }
        }
    }

    #[test]
    fn a_directory_gives_the_captures_in_it_and_passes_over_the_rest() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::copy(testdata().join("exim-plain.pcap"), directory.path().join("b")).expect("a copy");
        std::fs::write(directory.path().join("notes.txt"), "no capture at all, but long enough to be one")
            .expect("a file");
        std::fs::write(directory.path().join("empty.pcap"), "").expect("a file");
        let plan = Plan::new(&[directory.path().to_owned()]);
        assert_eq!((names(&plan), plan.unreadable), (vec!["b".to_owned()], Vec::new()));
    }

    #[test]
    fn a_directory_without_captures_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let plan = Plan::new(&[directory.path().to_owned()]);
        let [refused] = plan.unreadable.try_into().expect("one");
        assert!(refused.message.starts_with(&format!("{}: ", directory.path().display())), "{}", refused.message);
    }

    #[test]
    fn a_file_named_twice_is_read_once_and_a_missing_one_hides_no_other() {
        let file = testdata().join("exim-plain.pcap");
        let other_name = testdata().join("rotated/../exim-plain.pcap");
        let plan = Plan::new(&[file, testdata().join("missing.pcap"), other_name]);
        assert_eq!((plan.inputs.len(), plan.unreadable.len()), (1, 1));
    }

    #[test]
    fn standard_input_is_not_looked_at() {
        let plan = Plan::new(&[PathBuf::from(STANDARD_INPUT)]);
        assert_eq!(plan.inputs, [Input { path: PathBuf::from("-"), begins: None }]);
    }
}
