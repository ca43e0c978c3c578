//! Reads a JPEG's markers before a decoder sees it, because a decoder will not say what was wrong: GStreamer's `jpegdec`
//! makes a half-grey picture of a truncated file without a word, allocates a gigabyte for a header that claims
//! 30 000 x 30 000 pixels, and decodes most sampling factors wrongly. Marker syntax as in ITU-T T.81, annex B.

mod error;
mod exif;
mod frame;
mod tables;

use std::fmt;

use gst_video::VideoOrientationMethod;

pub use self::error::JpegError;
use self::{frame::Frame, tables::Tables};

/// What a picture may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest width times height, in pixels.
    pub max_pixels: u32,
    /// Most scans: each one of a progressive picture costs a pass over all of its blocks.
    pub max_scans: u32,
}

/// What the headers of an accepted picture say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width in pixels, 1 to 65535.
    pub width: u16,
    /// Height in pixels, 1 to 65535.
    pub height: u16,
    /// 1 = grey, 3 = colour.
    pub components: u8,
    /// Whether the scans refine one another (SOF2).
    pub progressive: bool,
    /// Number of scans, at least 1.
    pub scans: u32,
    /// Bytes from SOI to EOI. Only these were checked: what follows them must not reach a decoder, which would take
    /// it for a second picture.
    pub length: usize,
    /// What makes the picture upright, by its Exif metadata; identity if these say nothing or nonsense.
    pub orientation: VideoOrientationMethod,
    /// Where the sampling factors of a grey picture stand that are not 1x1.
    grey_factors_at: Option<usize>,
    /// Whether it means the Huffman tables of T.81, annex K, without holding them.
    implies_tables: bool,
}

impl Header {
    /// The picture in other bytes where `jpegdec` needs them to decode it rightly, `None` where it does not. `bytes` are those
    /// that were checked.
    ///
    /// - The sampling factors of one component mean nothing (T.81, A.2.2), but are refused unless they are 1x1.
    /// - A decoder goes on with the Huffman tables of the picture before where a picture holds none.
    pub fn rewritten(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.grey_factors_at.is_none() && !self.implies_tables {
            return None;
        }
        let mut picture = bytes.get(..self.length)?.to_vec();
        if let Some(factors) = self.grey_factors_at.and_then(|at| picture.get_mut(at)) {
            *factors = 0x11;
        }
        if self.implies_tables {
            picture.splice(SOI_LENGTH..SOI_LENGTH, tables::standard_huffman());
        }
        Some(picture)
    }
}

/// Horizontal and vertical sampling factors of three components, 1 to 4 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling(pub [[u8; 2]; 3]);

impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([[h0, v0], [h1, v1], [h2, v2]]) = self;
        write!(formatter, "{h0}x{v0},{h1}x{v1},{h2}x{v2}")
    }
}

/// Checks a JPEG without decoding it, in one pass and without allocating.
///
/// Accepted are baseline, extended and progressive Huffman-coded pictures of 8-bit samples with one component (grey) or
/// three (colour) that end with an end-of-image marker. Files without Huffman tables are accepted as webcams make
/// them: they mean the tables of T.81, annex K.
///
/// # Errors
///
/// The first problem found, see [`JpegError`].
pub fn check(bytes: &[u8], limits: Limits) -> Result<Header, JpegError> {
    if !bytes.starts_with(&[0xFF, SOI]) {
        let found = if bytes.is_empty() { Some("no data at all") } else { other_format(bytes) };
        return Err(JpegError::NotJpeg(found.unwrap_or("unknown data")));
    }
    let mut reader = Reader { bytes, at: SOI_LENGTH };
    let mut tables = Tables::default();
    let mut metadata = Metadata::default();
    let mut implies_tables = false;
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        let (marker, offset) = reader.marker()?;
        match marker {
            EOI => {
                let Some(frame) = frame.filter(|_| scans > 0) else {
                    return Err(damaged("the picture ends without any image data", offset));
                };
                if !frame.is_complete() {
                    return Err(damaged("the picture ends without image data of all its components", offset));
                }
                return Ok(Header {
                    width: frame.width,
                    height: frame.height,
                    components: frame.count,
                    progressive: frame.progressive,
                    scans,
                    length: reader.at,
                    orientation: metadata.orientation.unwrap_or(VideoOrientationMethod::Identity),
                    grey_factors_at: frame.grey_factors_at(),
                    implies_tables,
                });
            }
            SOF_BASELINE | SOF_EXTENDED | SOF_PROGRESSIVE => {
                if frame.is_some() {
                    return Err(damaged("a second frame header", offset));
                }
                let (segment, offset) = reader.segment("in the frame header")?;
                frame = Some(Frame::read(segment, offset, marker, limits)?);
            }
            SOS => {
                let (segment, offset) = reader.segment("in a scan header")?;
                let Some(frame) = &mut frame else {
                    return Err(damaged("image data before the frame header", offset));
                };
                if scans == 0 {
                    frame.check_sampling(metadata.is_rgb(frame))?;
                    implies_tables = tables.are_implied();
                }
                frame.check_scan(segment, offset, &tables)?;
                scans += 1;
                if scans > limits.max_scans {
                    return Err(JpegError::TooManyScans { max_scans: limits.max_scans });
                }
                reader.skip_entropy_coded()?;
            }
            DHT => {
                let (segment, offset) = reader.segment("in a Huffman table")?;
                tables.read_huffman(segment, offset)?;
            }
            DQT => {
                let (segment, offset) = reader.segment("in a quantisation table")?;
                tables.read_quantisation(segment, offset)?;
            }
            // Stand-alone markers; outside of a scan they mean nothing.
            TEM | RST_FIRST..=RST_LAST => {}
            DRI | DNL => {
                let (segment, offset) = reader.segment("in a header")?;
                if segment.len() != 2 {
                    return Err(damaged("a restart interval or line count that is not two bytes", offset));
                }
            }
            APP_FIRST..=APP_LAST | COM => {
                let (segment, _) = reader.segment("in its metadata")?;
                // A decoder begins with the first scan, and takes no notice of what is said later.
                if scans == 0 {
                    metadata.read(marker, segment);
                }
            }
            _ => {
                return Err(match unsupported(marker) {
                    Some(name) => JpegError::Unsupported(name),
                    None => damaged("an unknown marker", offset),
                });
            }
        }
    }
}

/// The name, with its article, of the picture format that `bytes` start like, if it is one that clients send by mistake.
pub fn other_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("a PNG"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("a WebP"),
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF"),
        [b'B', b'M', ..] => Some("a BMP"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an AVIF, HEIC or MP4"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("a WebM"),
        _ => None,
    }
}

const TEM: u8 = 0x01;
const SOF_BASELINE: u8 = 0xC0;
const SOF_EXTENDED: u8 = 0xC1;
const SOF_PROGRESSIVE: u8 = 0xC2;
const DHT: u8 = 0xC4;
const RST_FIRST: u8 = 0xD0;
const RST_LAST: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DNL: u8 = 0xDC;
const DRI: u8 = 0xDD;
const APP_FIRST: u8 = 0xE0;
const APP_LAST: u8 = 0xEF;
const APP_JFIF: u8 = 0xE0;
const APP_EXIF: u8 = 0xE1;
const APP_ADOBE: u8 = 0xEE;
const COM: u8 = 0xFE;

/// Longest side: GStreamer's videoconvert negotiates no longer one, and what is not negotiated ends the pipeline.
pub const MAX_SIDE: u16 = 32_767;
/// Bytes of the first marker.
const SOI_LENGTH: usize = 2;

fn unsupported(marker: u8) -> Option<&'static str> {
    match marker {
        0xC3 => Some("lossless"),
        0xC5..=0xC7 | 0xDE | 0xDF => Some("hierarchical"),
        0xC9..=0xCC => Some("arithmetic-coded"),
        0xCD..=0xCF => Some("hierarchical arithmetic-coded"),
        0xF7 => Some("JPEG-LS"),
        _ => None,
    }
}

/// What application segments say of the picture.
#[derive(Default)]
struct Metadata {
    has_jfif: bool,
    /// The colour transform of an Adobe segment.
    adobe_transform: Option<u8>,
    orientation: Option<VideoOrientationMethod>,
}

impl Metadata {
    fn read(&mut self, marker: u8, segment: &[u8]) {
        match (marker, segment) {
            (APP_JFIF, [b'J', b'F', b'I', b'F', 0, rest @ ..]) => self.has_jfif |= rest.len() >= 9,
            (APP_ADOBE, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => {
                self.adobe_transform = Some(*transform);
            }
            (APP_EXIF, [b'E', b'x', b'i', b'f', 0, 0, tiff @ ..]) if self.orientation.is_none() => {
                self.orientation = exif::orientation(tiff);
            }
            _ => {}
        }
    }

    /// Whether libjpeg takes three components for red, green and blue.
    fn is_rgb(&self, frame: &Frame) -> bool {
        match self.adobe_transform {
            _ if self.has_jfif => false,
            Some(transform) => transform == 0,
            None => frame.names() == *b"RGB",
        }
    }
}

fn damaged(problem: &'static str, offset: usize) -> JpegError {
    JpegError::Damaged { problem, offset }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn truncated(&self, place: &'static str) -> JpegError {
        JpegError::Truncated { length: self.bytes.len(), place }
    }

    /// The next marker's code and the offset of its first FF; any number of FF may fill the space before the code.
    fn marker(&mut self) -> Result<(u8, usize), JpegError> {
        let start = self.at;
        match self.bytes.get(start) {
            Some(0xFF) => {}
            Some(_) => return Err(damaged("something else where a marker should be", start)),
            None => return Err(self.truncated("after a whole segment")),
        }
        let rest = &self.bytes[start..];
        let Some(fill) = rest.iter().position(|&byte| byte != 0xFF) else {
            return Err(self.truncated("in a marker"));
        };
        self.at = start + fill + 1;
        Ok((rest[fill], start))
    }

    /// The contents of the segment whose marker was just read, and their offset.
    fn segment(&mut self, place: &'static str) -> Result<(&'a [u8], usize), JpegError> {
        let Some(length) = self.bytes.get(self.at..self.at + 2) else {
            return Err(self.truncated(place));
        };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 2 {
            return Err(damaged("a segment that is shorter than its own length", self.at));
        }
        let start = self.at + 2;
        let end = self.at + length;
        let Some(segment) = self.bytes.get(start..end) else {
            return Err(self.truncated(place));
        };
        self.at = end;
        Ok((segment, start))
    }

    /// Goes to the marker that ends the image data: not a stuffed FF 00, not a restart marker.
    fn skip_entropy_coded(&mut self) -> Result<(), JpegError> {
        let mut data = false;
        loop {
            let rest = &self.bytes[self.at..];
            let Some(found) = rest.iter().position(|&byte| byte == 0xFF) else {
                return Err(self.truncated("in the image data"));
            };
            data |= found > 0;
            match rest.get(found + 1) {
                None => return Err(self.truncated("in the image data")),
                Some(0x00) => {
                    data = true;
                    self.at += found + 2;
                }
                Some(RST_FIRST..=RST_LAST) => self.at += found + 2,
                // FF fills: the next one may start the marker.
                Some(0xFF) => self.at += found + 1,
                Some(_) => {
                    self.at += found;
                    return if data { Ok(()) } else { Err(damaged("a scan without image data", self.at)) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
