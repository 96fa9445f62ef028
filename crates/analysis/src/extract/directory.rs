//! The directory that everything is written to, and nothing outside it.
//!
//! A file is made in a folder of its own (`.smtpscope-…`) and gets its name when it is whole, by a call that fails where
//! the name is taken, be it by a link that leads nowhere. So no file is ever overwritten, none is followed to elsewhere,
//! and what is cut short has no name.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::Digest;
use tempfile::{TempDir, TempPath};

use super::Error;
use super::name::Name;
use crate::spool::{Spooled, hash_of};

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Where files are until they are whole. Removed when this is dropped.
    temporary: TempDir,
    /// The name of each file, by its octets and what they are.
    placed: HashMap<([u8; 32], Kind), Arc<str>>,
}

impl Directory {
    /// Makes the directory, if it is not there. One with an index is that of another extraction.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(|source| Error::Directory { path: path.to_owned(), source })?;
        let index = path.join(INDEX);
        if index.symlink_metadata().is_ok() {
            return Err(Error::IndexExists { path: index });
        }
        let temporary = tempfile::Builder::new().prefix(".smtpscope-").tempdir_in(path);
        let temporary = temporary.map_err(|source| Error::Directory { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), temporary, placed: HashMap::new() })
    }

    /// The folder for what has no name yet.
    pub(super) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Files of this kind that were given a name.
    pub(super) fn files(&self, kind: Kind) -> usize {
        self.placed.keys().filter(|(_, of)| *of == kind).count()
    }

    /// Gives octets a name. Of equal ones of the same kind the first names the file of all.
    pub(super) fn place(&mut self, whole: Spooled, kind: Kind, name: &Name) -> Result<Arc<str>, Error> {
        let sha256 = whole.sha256();
        if let Some(name) = self.placed.get(&(sha256, kind)) {
            return Ok(name.clone());
        }
        let mut file = whole.into_file()?;
        for number in 1..=ATTEMPTS {
            let name = name.numbered(number);
            let path = self.path.join(&name);
            file = match persist(file, &path)? {
                Some(file) if !holds(&path, &sha256) => file,
                _ => {
                    let name: Arc<str> = name.into();
                    self.placed.insert((sha256, kind), name.clone());
                    return Ok(name);
                }
            };
        }
        let source = io::ErrorKind::AlreadyExists.into();
        Err(Error::Write { path: self.path.join(name.numbered(1)), source })
    }

    /// Gives the index, which is whole, its name, and removes the folder for what has none.
    pub(super) fn finish(self, index: TempPath) -> Result<(), Error> {
        let path = self.path.join(INDEX);
        if persist(index, &path)?.is_some() {
            return Err(Error::IndexExists { path });
        }
        let temporary = self.temporary.path().to_owned();
        self.temporary.close().map_err(|source| Error::Write { path: temporary, source })
    }
}

/// What octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A message, all of it.
    Message,
    /// A message of which something is missing.
    IncompleteMessage,
    /// What an attachment decodes to.
    Attachment,
    /// The same of one of which something is missing.
    IncompleteAttachment,
}

/// The name of the index.
pub(super) const INDEX: &str = "index.ndjson";

/// Names that are tried. A stem has half of a message's hash in it, so only who knew the message can have taken one.
const ATTEMPTS: u32 = 100;

/// Renames a file; gives it back where the name is taken.
fn persist(file: TempPath, path: &Path) -> Result<Option<TempPath>, Error> {
    match file.persist_noclobber(path) {
        Ok(()) => Ok(None),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(e.path)),
        Err(e) => Err(Error::Write { path: path.to_owned(), source: e.error }),
    }
}

/// Whether a file, and no link to one, holds just these octets. One that cannot be read does not.
fn holds(path: &Path, sha256: &[u8; 32]) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|data| data.is_file());
    is_file && File::open(path).and_then(hash_of).is_ok_and(|hash| hash.finalize().as_slice() == sha256)
}
