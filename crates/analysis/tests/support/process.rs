//! Runs the program, and makes the captures it reads.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

use kit::{Conversation, KitPacket};
use serde_json::Value;
use tempfile::TempDir;

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs the program to its end; both its outputs are pipes, its input is empty.
pub(crate) fn smtpscope<A: AsRef<OsStr>>(arguments: &[A]) -> Run {
    smtpscope_reading(arguments, &[])
}

/// The same, with something to read on standard input.
pub(crate) fn smtpscope_reading<A: AsRef<OsStr>>(arguments: &[A], input: &[u8]) -> Run {
    let mut child = command(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // A program that does not read its input closes the pipe.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    Run { status: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

/// Runs the program and closes its standard output when `octets` of it were read.
pub(crate) fn smtpscope_cut_off<A: AsRef<OsStr>>(arguments: &[A], octets: usize) -> Run {
    let mut child = command(arguments).spawn().unwrap();
    let mut stdout = vec![0; octets];
    child.stdout.take().unwrap().read_exact(&mut stdout).unwrap();
    let output = child.wait_with_output().unwrap();
    Run { status: output.status.code(), stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

fn command<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpscope"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Run {
    /// All was read, and nothing but the result was printed.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// Standard output, which has to be one JSON document and a line end.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        assert_eq!(self.stdout.last(), Some(&b'\n'));
        serde_json::from_slice(&self.stdout).expect("one JSON document")
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8")
    }
}

/// The document of a run in which nothing is wrong.
#[track_caller]
pub(crate) fn document<A: AsRef<OsStr>>(arguments: &[A]) -> Value {
    smtpscope(arguments).succeeds().document()
}

/// A folder for the files of one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and gives its path as an argument.
    pub(crate) fn file(&self, name: &str, octets: &[u8]) -> String {
        let path: PathBuf = self.path().join(name);
        fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The path of a file that is not written.
    pub(crate) fn missing(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_owned()
    }
}

/// One connection with one mail, from the handshake to the close.
#[derive(Debug, Clone)]
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a [&'a str],
    pub(crate) message: &'a str,
    /// The reply to the end of the data, with its code.
    pub(crate) reply: &'a str,
}

impl Default for Mail<'_> {
    fn default() -> Self {
        Self {
            from: "alice@example.org",
            to: &["bob@example.net"],
            message: "Subject: hello\r\n\r\nA line.\r\n",
            reply: "250 taken",
        }
    }
}

impl Mail<'_> {
    /// The packets of the connection `number` of a recording: its client's port, and a second after the one before.
    pub(crate) fn packets(&self, number: u16) -> Vec<KitPacket> {
        let mut talk = Conversation::new(&format!("192.0.2.1:{}", 20_000 + number), SERVER)
            .start(START_NANOS + i64::from(number) * 1_000_000_000)
            .handshake()
            .server(b"220 mx.example ESMTP\r\n")
            .client(b"EHLO client.example\r\n")
            .server(b"250 mx.example\r\n")
            .client(format!("MAIL FROM:<{}>\r\n", self.from).as_bytes())
            .server(b"250 sender ok\r\n");
        for address in self.to {
            talk = talk.client(format!("RCPT TO:<{address}>\r\n").as_bytes()).server(b"250 recipient ok\r\n");
        }
        talk.client(b"DATA\r\n")
            .server(b"354 go on\r\n")
            .client(format!("{}.\r\n", self.message).as_bytes())
            .server(format!("{}\r\n", self.reply).as_bytes())
            .client(b"QUIT\r\n")
            .server(b"221 bye\r\n")
            .close()
            .packets()
    }
}

pub(crate) const SERVER: &str = "198.51.100.25:25";
/// The first packet's time.
pub(crate) const START_NANOS: i64 = 1_700_000_000_123_456_789;

/// Mails one after the other.
pub(crate) fn recording(mails: &[Mail<'_>]) -> Vec<KitPacket> {
    (0..).zip(mails).flat_map(|(number, mail)| mail.packets(number)).collect()
}

/// The packets of one plain mail.
pub(crate) fn one_mail() -> Vec<KitPacket> {
    recording(&[Mail::default()])
}
