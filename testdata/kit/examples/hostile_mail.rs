//! `hostile_mail NAME FILE` writes the capture of a mail that is made to cost time and memory.

use std::env::args;
use std::fs::File;
use std::io::BufWriter;

use kit::HostileMail;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names = HostileMail::ALL.map(HostileMail::name).join("|");
    let (Some(name), Some(path)) = (args().nth(1), args().nth(2)) else {
        return Err(format!("usage: hostile_mail {names} FILE").into());
    };
    let mail = HostileMail::ALL.into_iter().find(|mail| mail.name() == name);
    mail.ok_or(format!("{name}: is none of {names}"))?.write(BufWriter::new(File::create(path)?))?;
    Ok(())
}
