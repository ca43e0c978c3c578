//! Reads a JPEG's markers before a decoder sees it, because a decoder will not say what was wrong: GStreamer's makes
//! a half-grey picture of a truncated file without a word, and allocates a gigabyte for a header that claims
//! 30 000 x 30 000 pixels. Marker syntax as in ITU-T T.81, annex B.

use thiserror::Error;

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
}

/// Why a picture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JpegError {
    /// The bytes start like something else.
    #[error(
        "not a JPEG but {0}: a JPEG starts with the bytes FF D8; encode the picture as JPEG, \
         in a browser with canvas.toBlob(..., \"image/jpeg\")"
    )]
    NotJpeg(&'static str),
    /// The bytes end before the picture does.
    #[error(
        "truncated JPEG: its {length} bytes end {place}, before the end marker FF D9; send the whole file in one message"
    )]
    Truncated {
        /// Bytes there are.
        length: usize,
        /// What they end in.
        place: &'static str,
    },
    /// The bytes contradict the format.
    #[error("damaged JPEG: {problem} at byte {offset}; send the file as the encoder wrote it")]
    Damaged {
        /// What is wrong.
        problem: &'static str,
        /// Where, counted from 0.
        offset: usize,
    },
    /// A kind of JPEG that is not decoded here.
    #[error("{0} JPEG is not supported: send an 8-bit baseline or progressive JPEG, grey or YCbCr")]
    Unsupported(&'static str),
    /// Width or height is 0.
    #[error("empty JPEG: the header says {width} x {height} pixels; both must be at least 1")]
    Empty {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
    },
    /// More pixels than [`Limits::max_pixels`].
    #[error(
        "{width} x {height} is {} pixels, more than the {max_pixels} allowed (server.max_pixels): send a smaller \
         picture, 640 x 480 is enough",
        u64::from(*width) * u64::from(*height)
    )]
    TooManyPixels {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
        /// The limit.
        max_pixels: u32,
    },
    /// A side of more than [`MAX_SIDE`].
    #[error(
        "{width} x {height} pixels: a side of more than {MAX_SIDE} is not decoded: send a smaller picture, 640 x 480 \
         is enough"
    )]
    SideTooLong {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
    },
    /// More scans than [`Limits::max_scans`].
    #[error(
        "more than {max_scans} scans (server.max_scans): encode the picture as baseline JPEG, or with fewer scans"
    )]
    TooManyScans {
        /// The limit.
        max_scans: u32,
    },
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
    let mut reader = Reader { bytes, at: 2 };
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        let (marker, offset) = reader.marker()?;
        match marker {
            EOI => {
                let Some(frame) = frame.filter(|_| scans > 0) else {
                    return Err(damaged("the picture ends without any image data", offset));
                };
                if frame.components().iter().any(|component| !component.seen) {
                    return Err(damaged("the picture ends without image data of all its components", offset));
                }
                return Ok(Header {
                    width: frame.width,
                    height: frame.height,
                    components: frame.count,
                    progressive: frame.progressive,
                    scans,
                    length: reader.at,
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
                reader.segment("in its metadata")?;
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
pub(crate) fn other_format(bytes: &[u8]) -> Option<&'static str> {
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
const COM: u8 = 0xFE;

/// Longest side: GStreamer's videoconvert negotiates no longer one, and what is not negotiated ends the pipeline.
pub const MAX_SIDE: u16 = 32_767;
/// Most blocks of one interleaved unit (T.81, B.2.3).
const MAX_BLOCKS_PER_UNIT: u32 = 10;

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

/// Which tables were defined so far, one bit per slot.
#[derive(Default)]
struct Tables {
    quantisation: u8,
    /// Index 0 for DC, 1 for AC.
    huffman: [u8; 2],
}

impl Tables {
    fn read_quantisation(&mut self, mut segment: &[u8], offset: usize) -> Result<(), JpegError> {
        while let [head, rest @ ..] = segment {
            let (precision, slot) = (head >> 4, head & 15);
            let length = if precision == 0 { 64 } else { 128 };
            if precision > 1 || slot > 3 || rest.len() < length {
                return Err(damaged("a bad quantisation table", offset));
            }
            self.quantisation |= 1 << slot;
            segment = &rest[length..];
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut segment: &[u8], offset: usize) -> Result<(), JpegError> {
        while let [head, rest @ ..] = segment {
            let (class, slot) = (head >> 4, head & 15);
            let Some(counts) = rest.get(..16).filter(|_| class <= 1 && slot <= 3) else {
                return Err(damaged("a bad Huffman table", offset));
            };
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            if symbols > 256 || rest.len() < 16 + symbols {
                return Err(damaged("a bad Huffman table", offset));
            }
            self.huffman[usize::from(class)] |= 1 << slot;
            segment = &rest[16 + symbols..];
        }
        Ok(())
    }

    fn has_quantisation(&self, slot: u8) -> bool {
        self.quantisation >> slot & 1 == 1
    }

    fn has_huffman(&self, class: usize, slot: u8) -> bool {
        // No table at all means those of annex K, slots 0 and 1: Motion JPEG leaves them out.
        (self.huffman == [0, 0] && slot < 2) || self.huffman[class] >> slot & 1 == 1
    }
}

#[derive(Clone, Copy, Default)]
struct Component {
    id: u8,
    horizontal: u8,
    vertical: u8,
    quantisation: u8,
    seen: bool,
}

struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    baseline: bool,
    count: u8,
    all: [Component; 3],
}

impl Frame {
    fn read(segment: &[u8], offset: usize, marker: u8, limits: Limits) -> Result<Self, JpegError> {
        let [precision, y1, y0, x1, x0, count, specifications @ ..] = segment else {
            return Err(damaged("a frame header that is too short", offset));
        };
        match precision {
            8 => {}
            12 => return Err(JpegError::Unsupported("12-bit")),
            _ => return Err(damaged("a sample precision that does not exist", offset)),
        }
        match count {
            1 | 3 => {}
            4 => return Err(JpegError::Unsupported("CMYK (four-component)")),
            2 => return Err(JpegError::Unsupported("two-component")),
            _ => return Err(JpegError::Unsupported("many-component")),
        }
        if specifications.len() != usize::from(*count) * 3 {
            return Err(damaged("a frame header of the wrong length", offset));
        }
        let height = u16::from_be_bytes([*y1, *y0]);
        let width = u16::from_be_bytes([*x1, *x0]);
        if width == 0 || height == 0 {
            return Err(JpegError::Empty { width, height });
        }
        // At most 65535 squared, which fits.
        if u32::from(width) * u32::from(height) > limits.max_pixels {
            return Err(JpegError::TooManyPixels { width, height, max_pixels: limits.max_pixels });
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(JpegError::SideTooLong { width, height });
        }
        let mut all = [Component::default(); 3];
        for (component, specification) in all.iter_mut().zip(specifications.chunks_exact(3)) {
            *component = Component {
                id: specification[0],
                horizontal: specification[1] >> 4,
                vertical: specification[1] & 15,
                quantisation: specification[2],
                seen: false,
            };
        }
        let frame = Self {
            width,
            height,
            progressive: marker == SOF_PROGRESSIVE,
            baseline: marker == SOF_BASELINE,
            count: *count,
            all,
        };
        frame.check_components(offset)?;
        Ok(frame)
    }

    fn components(&self) -> &[Component] {
        &self.all[..usize::from(self.count)]
    }

    fn check_components(&self, offset: usize) -> Result<(), JpegError> {
        let components = self.components();
        let first = components[0];
        for (index, component) in components.iter().enumerate() {
            if !(1..=4).contains(&component.horizontal) || !(1..=4).contains(&component.vertical) {
                return Err(damaged("a sampling factor that is not 1 to 4", offset));
            }
            if component.quantisation > 3 {
                return Err(damaged("a quantisation table that cannot exist", offset));
            }
            if components[..index].iter().any(|other| other.id == component.id) {
                return Err(damaged("two components with one name", offset));
            }
            if component.horizontal > first.horizontal || component.vertical > first.vertical {
                return Err(JpegError::Unsupported("finer chroma than luma in a"));
            }
        }
        if components.iter().skip(1).all(|chroma| is_decoded_subsampling(first, *chroma, components[1])) {
            Ok(())
        } else {
            Err(JpegError::Unsupported("uncommon chroma subsampling in a"))
        }
    }

    fn check_scan(&mut self, segment: &[u8], offset: usize, tables: &Tables) -> Result<(), JpegError> {
        let Some((&count, rest)) = segment.split_first() else {
            return Err(damaged("an empty scan header", offset));
        };
        let selectors = usize::from(count) * 2;
        if count == 0 || count > self.count || rest.len() != selectors + 3 {
            return Err(damaged("a scan header of the wrong length", offset));
        }
        let (selectors, parameters) = rest.split_at(selectors);
        let [first, last, approximation] = [parameters[0], parameters[1], parameters[2]];
        if self.progressive {
            check_progression(count, first, last, approximation, offset)?;
        }
        let mut blocks = 0;
        let mut previous = None;
        for selector in selectors.chunks_exact(2) {
            let (id, dc, ac) = (selector[0], selector[1] >> 4, selector[1] & 15);
            let found = self.components().iter().position(|component| component.id == id);
            let Some(index) = found.filter(|&index| previous.is_none_or(|previous| index > previous)) else {
                return Err(damaged("a scan of components that the frame header does not list so", offset));
            };
            previous = Some(index);
            let most = if self.baseline { 1 } else { 3 };
            if dc > most || ac > most {
                return Err(damaged("a scan with a Huffman table that cannot exist", offset));
            }
            let component = &mut self.all[index];
            component.seen = true;
            blocks += u32::from(component.horizontal) * u32::from(component.vertical);
            // A refining scan of DC coefficients is raw bits.
            let needs_dc = first == 0 && approximation >> 4 == 0 || !self.progressive;
            let needs_ac = first > 0 || !self.progressive;
            if needs_dc && !tables.has_huffman(0, dc) || needs_ac && !tables.has_huffman(1, ac) {
                return Err(damaged("a scan whose Huffman table is missing", offset));
            }
            if !tables.has_quantisation(component.quantisation) {
                return Err(damaged("a scan whose quantisation table is missing", offset));
            }
        }
        if count > 1 && blocks > MAX_BLOCKS_PER_UNIT {
            return Err(damaged("a scan of too many blocks per unit", offset));
        }
        Ok(())
    }
}

/// Whether jpegdec makes a picture of it. Both chroma components are alike, and it takes 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1 and
/// 4:1:0; others give it a picture of the wrong layout, which it posts as an error that ends the pipeline.
fn is_decoded_subsampling(luma: Component, chroma: Component, other_chroma: Component) -> bool {
    let alike = (chroma.horizontal, chroma.vertical) == (other_chroma.horizontal, other_chroma.vertical);
    let ratio = |luma: u8, chroma: u8| if luma.is_multiple_of(chroma) { luma / chroma } else { 0 };
    let horizontal = ratio(luma.horizontal, chroma.horizontal);
    let vertical = ratio(luma.vertical, chroma.vertical);
    alike && luma.vertical <= 2 && matches!(horizontal, 1 | 2 | 4) && matches!(vertical, 1 | 2)
}

/// The rules of T.81, G.1.1.1.
fn check_progression(
    count: u8,
    first: u8,
    last: u8,
    approximation: u8,
    offset: usize,
) -> Result<(), JpegError> {
    let (high, low) = (approximation >> 4, approximation & 15);
    let band = if first == 0 { last == 0 } else { first <= last && last < 64 && count == 1 };
    if !band || low > 13 || high != 0 && high != low + 1 {
        return Err(damaged("a progressive scan that refines nothing that exists", offset));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
