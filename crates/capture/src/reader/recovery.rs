//! Where a record cannot be read: the next place to read on from.

use super::{CaptureReader, MAGIC_OCTETS, TRAILER_OCTETS};
use crate::{Damage, Error, pcap, pcapng};

impl CaptureReader {
    /// Goes through the block of `total` octets at `offset` up to its second length, and stops at the first chain of
    /// blocks within: then the length is wrong. Whether there was one. It holds as little as [`recover`](Self::recover).
    pub(super) fn search_within(&mut self, offset: u64, total: u32) -> Result<bool, Error> {
        let reach = self.buffer.capacity() / 2;
        let end = offset.saturating_add(total.into()).saturating_sub(TRAILER_OCTETS as u64);
        self.buffer.consume(1);
        loop {
            let left = usize::try_from(end.saturating_sub(self.buffer.position())).unwrap_or(usize::MAX);
            let enough = self.buffer.window().len() > reach;
            let whole = !enough && !self.buffer.fill(self.buffer.capacity()).map_err(|e| self.read_error(e))?;
            let window = self.buffer.window();
            let to = if whole { window.len() } else { window.len().saturating_sub(reach) }.min(left);
            let found = self.blocks.find_chain(window, to, reach, whole);
            self.buffer.consume(found.unwrap_or(to));
            if found.is_some() {
                self.add_damage(offset);
                return Ok(true);
            }
            if to == left || whole {
                return Ok(false);
            }
        }
    }

    /// Looks for the next record behind what could not be read at `offset`, and stands there when it is found. Where none
    /// is, reading ends with the error given.
    ///
    /// The search goes over the input once, holding no more than the buffer does: a place is judged by the half buffer
    /// behind it, so half of each buffer is judged and the other half is read on.
    pub(super) fn recover(&mut self, offset: u64, error: impl FnOnce(&Self) -> Error) -> Result<(), Error> {
        if self.buffer.position() == offset && self.begins_another_file() {
            self.further_files += 1;
            return Ok(());
        }
        let reach = self.buffer.capacity() / 2;
        // The record itself begins at the first octet.
        self.buffer.consume(1);
        loop {
            // Not before what is there has been judged: damage may be everywhere, and filling moves the window.
            let enough = self.buffer.window().len() > reach;
            let whole = !enough && !self.buffer.fill(self.buffer.capacity()).map_err(|e| self.read_error(e))?;
            let window = self.buffer.window();
            let to = if whole { window.len() } else { window.len().saturating_sub(reach) };
            let found = match &mut self.pcap {
                Some(records) => records.find(window, to, reach, whole, &self.limits),
                None => self.blocks.find(window, to, reach),
            };
            self.buffer.consume(found.unwrap_or(to));
            if found.is_some() {
                self.add_damage(offset);
                return Ok(());
            }
            if whole {
                self.stopped_at = Some(offset);
                return Err(error(self));
            }
        }
    }

    /// Whether what cannot be a record is the header of another file of pcap, or of pcapng behind one of pcap: files written
    /// one behind the other, as `cat` does. Then its records are read from here on.
    pub(super) fn begins_another_file(&mut self) -> bool {
        match self.buffer.window().first_chunk::<MAGIC_OCTETS>() {
            Some(&magic) if pcap::is_magic(magic) => {
                self.buffer.try_fill(pcap::OPENING_OCTETS);
                let Some(Ok(records)) = pcap::parse_header(self.buffer.window()) else { return false };
                self.buffer.consume(pcap::HEADER_OCTETS);
                self.pcap = Some(records);
                true
            }
            Some(&pcapng::SECTION_HEADER) if self.pcap.is_some() => {
                self.buffer.try_fill(pcapng::BYTE_ORDER_OCTETS);
                let is_one = pcapng::is_section_header(self.buffer.window());
                if is_one {
                    self.pcap = None;
                }
                is_one
            }
            _ => false,
        }
    }

    pub(super) fn add_damage(&mut self, offset: u64) {
        let octets = self.buffer.position().saturating_sub(offset);
        self.damage.add(Damage { offset, octets }, self.limits.damaged_places);
    }
}
