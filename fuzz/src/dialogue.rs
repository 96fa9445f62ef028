//! A dialogue of both sides, and how its replies have to be paired, made from octets of the fuzzer.

/// What one side says in one go.
pub struct Turn {
    pub is_server: bool,
    pub octets: Vec<u8>,
    /// Commands of the client so far.
    pub commands: usize,
    /// Replies of the server so far.
    pub replies: usize,
    /// Messages of DATA so far.
    pub messages: usize,
}

/// The turns, and what is known of them because they were made so.
#[derive(Default)]
pub struct Script {
    pub turns: Vec<Turn>,
    pub commands: usize,
    /// Codes, each with the command it answers.
    pub replies: Vec<(u16, Option<usize>)>,
    /// Messages of DATA: the octets of each, and how many of them were sent, with dots stuffed and the dot at the end.
    pub messages: Vec<(u64, u64)>,
    /// Octets said and not yet in a turn.
    client: Vec<u8>,
    server: Vec<u8>,
    lmtp: bool,
    /// The server has a transaction, and so many recipients in it.
    is_open: bool,
    recipients: usize,
}

/// The octets that decide; behind their end all is zero.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }
}

/// Groups of commands: their number, then each command and its reply; DATA, XEXCH50, AUTH and STARTTLS end a group.
pub fn script(is_lmtp: bool, octets: &[u8]) -> Script {
    let mut choices = Choices(octets);
    let mut script = Script { lmtp: is_lmtp, ..Script::default() };
    script.reply(220, None, 0);
    script.end_turn();
    let hello = if is_lmtp { "LHLO a" } else { "EHLO a" };
    let index = script.command(hello);
    script.reply(250, Some(index), 1);
    script.end_turn();
    while !choices.0.is_empty() && script.turns.len() < 200 {
        let number = 1 + choices.next() % 8;
        for _ in 0..number {
            if !script.one(&mut choices) {
                break;
            }
        }
        script.end_turn();
    }
    script
}

impl Script {
    /// One command with its reply. Returns whether another may follow before its reply.
    fn one(&mut self, choices: &mut Choices<'_>) -> bool {
        let (verb, answer) = (choices.next(), choices.next());
        let (class, form) = (answer % 8, answer / 64);
        let refusal = [450, 503, 550, 421, 599][usize::from(answer / 8 % 5)];
        let is_taken = class < 5;
        let code = if is_taken { [250, 251, 299][usize::from(answer / 8 % 3)] } else { refusal };
        match verb % 17 {
            0 => self.plain("NOOP", code, form),
            1 => {
                // A server of LMTP here keeps to its RFC: how many replies a message has hangs on what it took.
                let is_taken = is_taken && !(self.lmtp && self.is_open);
                self.plain("MAIL FROM:<a@x> SIZE=1", if is_taken { code } else { refusal }, form);
                if is_taken {
                    (self.is_open, self.recipients) = (true, 0);
                }
            }
            2 | 16 => {
                let is_taken = is_taken && (self.is_open || !self.lmtp);
                self.plain("RCPT TO:<b@x>", if is_taken { code } else { refusal }, form);
                self.recipients += usize::from(is_taken && self.is_open);
            }
            3 => {
                self.plain("RSET", code, form);
                self.is_open &= !is_taken;
            }
            4 => {
                self.plain(if self.lmtp { "LHLO c" } else { "EHLO c" }, code, form);
                self.is_open &= !is_taken;
            }
            5 => self.plain("VRFY b", code, form),
            6 => self.plain("Frobnicate it", code, form),
            7 | 8 => {
                let is_last = verb % 17 == 8;
                let octets = [&b".\r\nQUIT\r\n"[..], &[b'x'; 40]].concat();
                let octets = &octets[..usize::from(choices.next()) % octets.len()];
                let index = self.command(&format!("BDAT {}{}", octets.len(), if is_last { " LAST" } else { "" }));
                self.client.extend_from_slice(octets);
                if self.lmtp && (!self.is_open || self.recipients == 0) {
                    self.reply(503, Some(index), form);
                } else if is_last && self.lmtp {
                    self.recipient_replies(index, code, form);
                } else {
                    self.reply(code, Some(index), form);
                    self.is_open &= !is_last;
                }
                self.is_open &= !(is_last && self.lmtp);
            }
            9 => {
                let is_taken = is_taken && !self.lmtp;
                self.plain("BURL imap://x/;uid=1;urlauth=a:internal:00", if is_taken { code } else { refusal }, form);
            }
            10 => self.plain("XFORWARD NAME=c ADDR=192.0.2.7", code, form),
            11 => self.plain("HELP", code, form),
            12 => {
                self.plain("AUTH PLAIN AGEAYmJiYmJi", if is_taken { 235 } else { refusal }, form);
                return false;
            }
            13 | 14 => return self.data(choices, is_taken, refusal, form),
            _ => {
                let index = self.command("XEXCH50 9 2");
                self.reply(if is_taken { 354 } else { refusal }, Some(index), form);
                if is_taken {
                    self.end_turn();
                    self.client.extend_from_slice(b"QUIT\r\n\0\xff.");
                    self.reply(250, Some(index), 0);
                }
                return false;
            }
        }
        true
    }

    fn data(&mut self, choices: &mut Choices<'_>, is_taken: bool, refusal: u16, form: u8) -> bool {
        let is_taken = is_taken && (!self.lmtp || (self.is_open && self.recipients > 0));
        let index = self.command("DATA");
        let how = choices.next();
        let comes_early = how & 1 != 0;
        if !is_taken {
            self.reply(refusal, Some(index), form);
            return false;
        }
        // RFC 5321 §4.1.1.4 has 354 here; behind anything else that refuses nothing, what is no command is a message.
        let is_let = how & 24 != 24;
        self.reply(if is_let { 354 } else { 250 }, Some(index), form);
        if !comes_early {
            self.end_turn();
        }
        let mut message = (0, 3);
        if !is_let {
            self.client.extend_from_slice(b"a\r\n");
            message = (3, 6);
        }
        for _ in 0..how / 32 {
            let lines = ["Subject: x", "", "..", "..a", "RSET", "QUIT", "a.", "250 ok", "BDAT 9 LAST", "\u{fc}\0"];
            let line = lines[usize::from(choices.next()) % lines.len()];
            self.client.extend_from_slice(line.as_bytes());
            self.client.extend_from_slice(b"\r\n");
            let octets = line.len() as u64 + 2;
            message = (message.0 + octets - u64::from(line.starts_with('.')), message.1 + octets);
        }
        self.client.extend_from_slice(b".\r\n");
        self.messages.push(message);
        let code = if how & 2 == 0 { 250 } else { 554 };
        if self.lmtp {
            self.recipient_replies(index, code, form);
        } else {
            self.reply(code, Some(index), form);
        }
        self.is_open = false;
        // RFC 2920 §3.1: commands may be pipelined behind the end of the message.
        how & 4 != 0
    }

    /// RFC 2033 §4.2.
    fn recipient_replies(&mut self, command: usize, code: u16, form: u8) {
        for recipient in 0..self.recipients {
            self.reply(if recipient % 2 == 0 { code } else { 452 }, Some(command), form);
        }
    }

    fn plain(&mut self, line: &str, code: u16, form: u8) {
        let index = self.command(line);
        self.reply(code, Some(index), form);
    }

    fn command(&mut self, line: &str) -> usize {
        self.client.extend_from_slice(line.as_bytes());
        self.client.extend_from_slice(b"\r\n");
        self.commands += 1;
        self.commands - 1
    }

    fn reply(&mut self, code: u16, command: Option<usize>, form: u8) {
        let more = format!("{code}-2.0.0 more\r\n").repeat(usize::from(form));
        self.server.extend_from_slice(format!("{more}{code} mx ESMTP\r\n").as_bytes());
        self.replies.push((code, command));
    }

    /// The client's octets, then the server's.
    fn end_turn(&mut self) {
        let before = self.turns.last().map_or(0, |turn| turn.replies);
        let (client, server) = (std::mem::take(&mut self.client), std::mem::take(&mut self.server));
        for (is_server, octets) in [(false, client), (true, server)] {
            if !octets.is_empty() {
                let replies = if is_server { self.replies.len() } else { before };
                let (commands, messages) = (self.commands, self.messages.len());
                self.turns.push(Turn { is_server, octets, commands, replies, messages });
            }
        }
    }
}
