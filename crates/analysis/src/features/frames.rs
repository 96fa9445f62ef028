//! Lines that are kept compressed until their places in the document are known.
//!
//! Lines of mail dialogues take less than a fifth of their size as LZ4 blocks. Compressing them costs about the time that
//! the system takes to hand out and clear the memory for them as they are (benches/README.md).

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

/// Lines, some to a frame.
#[derive(Debug, Default)]
pub(super) struct Frames(Vec<Frame>);

#[derive(Debug)]
struct Frame {
    octets: usize,
    block: Box<[u8]>,
}

/// Where a line is among its frames.
#[derive(Debug)]
pub(super) struct Place {
    frame: usize,
    /// Within the frame's text.
    line: Range<usize>,
}

/// A frame is full with so many octets. LZ4 is fastest below 64 KiB, and one line is never far from the start of its frame.
const FRAME_OCTETS: usize = 40 * 1024;

/// Puts lines into frames, in memory that is used again.
#[derive(Default)]
pub(super) struct Packer {
    /// Lines whose frame is not full yet.
    text: Vec<u8>,
    block: Vec<u8>,
    table: CompressTable,
}

impl Packer {
    /// Puts a line into the last frame. A long one has a frame of its own, so that no other has to be made with it.
    pub(super) fn add(&mut self, line: &[u8], frames: &mut Frames) -> io::Result<Place> {
        if self.text.len() + line.len() > FRAME_OCTETS {
            self.finish(frames)?;
        }
        let start = self.text.len();
        self.text.extend_from_slice(line);
        let place = Place { frame: frames.0.len(), line: start..self.text.len() };
        Ok(place)
    }

    /// Ends the last frame. To be called behind the last line.
    pub(super) fn finish(&mut self, frames: &mut Frames) -> io::Result<()> {
        if !self.text.is_empty() {
            self.block.resize(get_maximum_output_size(self.text.len()), 0);
            let len =
                compress_into_with_table(&self.text, &mut self.block, &mut self.table).map_err(io::Error::other)?;
            let block = self.block.get(..len).unwrap_or_default().into();
            frames.0.push(Frame { octets: self.text.len(), block });
            self.text.clear();
        }
        Ok(())
    }
}

/// The text of those frames that some lines are in, each made once, in memory that is used again.
#[derive(Default)]
pub(super) struct Unpacked {
    text: Vec<u8>,
    /// By the number of the batch and that of the frame in it.
    frames: BTreeMap<(usize, usize), Range<usize>>,
}

impl Unpacked {
    /// Forgets all frames.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.frames.clear();
    }

    /// Makes the text of the frame this line is in, where that is not there yet.
    pub(super) fn load(&mut self, batch: usize, frames: &Frames, place: &Place) -> io::Result<()> {
        let key = (batch, place.frame);
        if self.frames.contains_key(&key) {
            return Ok(());
        }
        let start = self.text.len();
        if let Some(frame) = frames.0.get(place.frame) {
            self.text.resize(start + frame.octets, 0);
            let room = self.text.get_mut(start..).unwrap_or_default();
            decompress_into(&frame.block, room).map_err(io::Error::other)?;
        }
        self.frames.insert(key, start..self.text.len());
        Ok(())
    }

    /// The line, whose frame has been loaded.
    pub(super) fn line(&self, batch: usize, place: &Place) -> &[u8] {
        let frame = self.frames.get(&(batch, place.frame)).and_then(|frame| self.text.get(frame.clone()));
        frame.and_then(|text| text.get(place.line.clone())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_wherever_their_frames_end() {
        let lines: Vec<Vec<u8>> = [0, 1, 3, FRAME_OCTETS - 1, 1, 1, FRAME_OCTETS, 5, 3 * FRAME_OCTETS, 70_000, 7]
            .iter()
            .zip(1_u8..)
            .map(|(&len, n)| (0..len).map(|i| u8::try_from(i % 251).expect("small") ^ n).collect())
            .collect();
        let (mut packer, mut frames) = (Packer::default(), Frames::default());
        let places: Vec<Place> = lines.iter().map(|line| packer.add(line, &mut frames).expect("a place")).collect();
        packer.finish(&mut frames).expect("a frame");
        let mut unpacked = Unpacked::default();
        for (line, place) in lines.iter().zip(&places).rev() {
            unpacked.load(4, &frames, place).expect("its frame");
            assert!(unpacked.line(4, place) == line);
        }
        let alone = |place: &&Place| lines.len() > place.frame && frames.0[place.frame].octets > FRAME_OCTETS;
        assert_eq!(places.iter().filter(alone).count(), 2, "a long line has a frame of its own");
        unpacked.clear();
        assert!(unpacked.line(4, &places[2]).is_empty(), "nothing is there before its frame is");
    }
}
