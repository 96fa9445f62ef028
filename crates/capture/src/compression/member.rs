//! One gzip member, zstd frame, lz4 frame, xz stream or bzip2 stream, by the crate for it.
//!
//! The crates are used where they hand out what they have before they say what is wrong, so that a damaged file gives
//! every octet before the damage: gzip and bzip2 through their buffer-to-buffer calls, zstd a block at a time.

use std::error::Error;
use std::io::{self, BufRead, Read};

use lzma_rust2::XzReader;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder as ZstdDecoder};

use super::source::Source;
use super::{Compression, CompressionFault, CompressionLimits};

/// A decoder at work. lz4 and xz own the source meanwhile.
pub(super) enum Member {
    Gzip(Box<flate2::Decompress>),
    Zstd(Box<Zstd>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Source>>),
    Xz(Box<XzReader<Source>>),
    /// And whether its stream has ended: asked once more, the decoder would complain.
    Bzip2(Box<bzip2::Decompress>, bool),
}

/// What a decoder did.
pub(super) enum Step {
    /// Octets at the front of the place given, at least one.
    Octets(usize),
    /// The member is over.
    End,
    /// Octets, and then no more because of a fault.
    Fault(usize, Fault),
}

/// A fault, and the crate's error.
pub(super) type Fault = (CompressionFault, Option<Box<dyn Error + Send + Sync>>);

impl Member {
    /// A decoder for the member that begins at the source's front.
    pub(super) fn new(
        compression: Compression,
        source: &mut Source,
        limits: &CompressionLimits,
    ) -> Result<Self, Fault> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(flate2::Decompress::new_gzip(DEFLATE_WINDOW_BITS))),
            Compression::Zstd => Self::Zstd(Box::new(Zstd::new(source, limits)?)),
            Compression::Lz4 => Self::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(std::mem::take(source)))),
            Compression::Xz => {
                let kibibytes = u32::try_from(limits.window_octets / 1024).unwrap_or(u32::MAX);
                let most = kibibytes.saturating_add(XZ_OVERHEAD_KIBIBYTES);
                Self::Xz(Box::new(XzReader::new_mem_limit(std::mem::take(source), false, most)))
            }
            Compression::Bzip2 => Self::Bzip2(Box::new(bzip2::Decompress::new(false)), false),
        })
    }

    /// The source, where the decoder has it.
    pub(super) fn source(&mut self) -> Option<&mut Source> {
        match self {
            Self::Lz4(decoder) => Some(decoder.get_mut()),
            Self::Xz(decoder) => Some(decoder.inner_mut()),
            _ => None,
        }
    }

    /// The source back, where the decoder had it.
    pub(super) fn into_source(self) -> Option<Source> {
        match self {
            Self::Lz4(decoder) => Some(decoder.into_inner()),
            Self::Xz(decoder) => Some(decoder.into_inner()),
            _ => None,
        }
    }

    /// Decodes into `place`, which is not empty.
    pub(super) fn decode(&mut self, source: &mut Source, place: &mut [u8], limits: &CompressionLimits) -> Step {
        match self {
            Self::Gzip(decoder) => pump(source, |input| {
                let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(input, place, flate2::FlushDecompress::None);
                Pumped {
                    consumed: usize::try_from(decoder.total_in() - before_in).unwrap_or(0),
                    produced: usize::try_from(decoder.total_out() - before_out).unwrap_or(0),
                    end: status.map(|status| status == flate2::Status::StreamEnd).map_err(Into::into),
                }
            }),
            Self::Bzip2(_, true) => Step::End,
            Self::Bzip2(decoder, ended) => pump(source, |input| {
                let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(input, place);
                Pumped {
                    consumed: usize::try_from(decoder.total_in() - before_in).unwrap_or(0),
                    produced: usize::try_from(decoder.total_out() - before_out).unwrap_or(0),
                    end: match status {
                        Ok(bzip2::Status::MemNeeded) => Err(io::Error::from(io::ErrorKind::OutOfMemory).into()),
                        Ok(status) => {
                            *ended = status == bzip2::Status::StreamEnd;
                            Ok(*ended)
                        }
                        Err(e) => Err(e.into()),
                    },
                }
            }),
            Self::Zstd(decoder) => decoder.decode(source, place),
            Self::Lz4(decoder) => lz4(decoder, place),
            Self::Xz(decoder) => {
                // What a call has decoded when it fails is lost, so each is given little to do.
                let len = place.len().min(XZ_STEP_OCTETS);
                match decoder.read(place.get_mut(..len).unwrap_or_default()) {
                    Ok(0) => Step::End,
                    Ok(octets) => Step::Octets(octets),
                    Err(e) if e.kind() == io::ErrorKind::OutOfMemory => {
                        let fault = CompressionFault::Window { wanted: None, limit: limits.window_octets };
                        Step::Fault(0, (fault, Some(e.into())))
                    }
                    Err(e) => Step::Fault(0, read_fault(decoder.inner(), e)),
                }
            }
        }
    }
}

/// What a buffer-to-buffer decoder did in one call.
struct Pumped {
    consumed: usize,
    produced: usize,
    /// Whether the member is over.
    end: Result<bool, Box<dyn Error + Send + Sync>>,
}

/// Calls a buffer-to-buffer decoder until something comes out.
fn pump(source: &mut Source, mut call: impl FnMut(&[u8]) -> Pumped) -> Step {
    loop {
        let input = match source.fill_buf() {
            Ok(input) => input,
            Err(e) => return Step::Fault(0, (CompressionFault::Corrupt, Some(e.into()))),
        };
        let at_end = input.is_empty();
        let Pumped { consumed, produced, end } = call(input);
        source.consume(consumed);
        match end {
            Err(e) => return Step::Fault(produced, (CompressionFault::Corrupt, Some(e))),
            Ok(_) if produced > 0 => return Step::Octets(produced),
            Ok(true) => return Step::End,
            Ok(false) if at_end => return Step::Fault(0, (CompressionFault::Truncated, None)),
            Ok(false) if consumed == 0 => return Step::Fault(0, (CompressionFault::Corrupt, None)),
            Ok(false) => {}
        }
    }
}

/// A zstd frame. The decoder keeps a window's worth back until the frame's end.
pub(super) struct Zstd {
    decoder: ZstdDecoder,
    produced: u64,
    /// What ended the frame early; told when the window is handed out.
    fault: Option<Fault>,
}

impl Zstd {
    fn new(source: &mut Source, limits: &CompressionLimits) -> Result<Self, Fault> {
        let mut decoder = ZstdDecoder::new();
        decoder.set_max_window_size(limits.window_octets);
        match decoder.init(&mut *source) {
            Ok(()) => Ok(Self { decoder, produced: 0, fault: None }),
            Err(e) => Err(zstd_fault(source, e)),
        }
    }

    fn decode(&mut self, source: &mut Source, place: &mut [u8]) -> Step {
        loop {
            if self.decoder.can_collect() > 0 {
                match self.decoder.read(place) {
                    Ok(0) => {}
                    Ok(octets) => {
                        self.produced += octets as u64;
                        return Step::Octets(octets);
                    }
                    Err(e) => return Step::Fault(0, (CompressionFault::Corrupt, Some(e.into()))),
                }
            }
            if let Some(fault) = self.fault.take() {
                return Step::Fault(0, fault);
            }
            if self.decoder.is_finished() {
                return match self.contradiction() {
                    Some(what) => Step::Fault(0, (CompressionFault::Corrupt, Some(what.into()))),
                    None => Step::End,
                };
            }
            if let Err(e) = self.decoder.decode_blocks(&mut *source, BlockDecodingStrategy::UptoBlocks(1)) {
                self.fault = Some(zstd_fault(source, e));
                // The octets of the window are sound, but are lent at the end of the frame only: so end it, with an
                // empty last block and a checksum that nobody looks at.
                let end = self.decoder.decode_blocks(EMPTY_LAST_BLOCK, BlockDecodingStrategy::UptoBlocks(1));
                if let (Err(_), Some(fault)) = (end, self.fault.take_if(|_| !self.decoder.is_finished())) {
                    return Step::Fault(0, fault);
                }
            }
        }
    }

    /// What the frame says of its contents and is not so.
    fn contradiction(&self) -> Option<&'static str> {
        // RFC 8878 §3.1.1: Content_Checksum is "the result of the XXH64() hash function digesting the original (decoded)
        // data as input, and a seed of zero. The low 4 bytes of the checksum are stored in little-endian format."
        let said = self.decoder.get_checksum_from_data();
        if said.is_some() && said != self.decoder.get_calculated_checksum() {
            return Some("content checksum does not match");
        }
        let said = self.decoder.content_size();
        (said != 0 && said != self.produced).then_some("content size does not match")
    }
}

fn zstd_fault(source: &Source, error: FrameDecoderError) -> Fault {
    let fault = match &error {
        FrameDecoderError::WindowSizeTooBig { requested, max } => {
            CompressionFault::Window { wanted: Some(*requested), limit: *max }
        }
        FrameDecoderError::DictNotProvided { .. } => CompressionFault::Dictionary,
        _ if source.is_starved() => CompressionFault::Truncated,
        _ => CompressionFault::Corrupt,
    };
    (fault, Some(error.to_string().into()))
}

/// Reads an lz4 frame. The decoder says "no more" of an empty block, too, and of a file that ends between two blocks.
fn lz4(decoder: &mut lz4_flex::frame::FrameDecoder<Source>, place: &mut [u8]) -> Step {
    loop {
        match decoder.read(place) {
            Ok(0) if decoder.get_ref().is_starved() => return Step::Fault(0, (CompressionFault::Truncated, None)),
            Ok(0) => {}
            Ok(octets) => return Step::Octets(octets),
            Err(e) => return Step::Fault(0, read_fault(decoder.get_ref(), e)),
        }
        // A block's header that looks like a frame's would be of a block of 400 MB, a hundred times what is allowed.
        let rest = decoder.get_mut().peek(4).unwrap_or_default();
        let is_block = matches!(rest, [_, _, size, sign] if sign & 0x7f == 0 && *size <= 0x40);
        if !is_block {
            return Step::End;
        }
    }
}

/// The fault behind an error of a decoder that owns its source.
fn read_fault(source: &Source, error: io::Error) -> Fault {
    let dictionary =
        matches!(error.get_ref().and_then(|e| e.downcast_ref()), Some(lz4_flex::frame::Error::DictionaryNotSupported));
    let fault = match dictionary {
        true => CompressionFault::Dictionary,
        false if source.is_starved() => CompressionFault::Truncated,
        false => CompressionFault::Corrupt,
    };
    (fault, Some(error.into()))
}

/// RFC 1951 §2: distances are "limited to 32K bytes".
const DEFLATE_WINDOW_BITS: u8 = 15;
/// What an xz decoder needs beside its dictionary, generously.
const XZ_OVERHEAD_KIBIBYTES: u32 = 1024;
/// What an xz decoder is asked for at once.
const XZ_STEP_OCTETS: usize = 16 << 10;
/// RFC 8878 §3.1.1.2: Last_Block 1, Block_Type 0 (Raw_Block), Block_Size 0; and four octets for Content_Checksum.
const EMPTY_LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];
