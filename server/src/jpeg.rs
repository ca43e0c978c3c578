//! What can be said of a JPEG before it is decoded (ITU-T T.81, annex B).
//!
//! `jpegdec` of GStreamer 1.22 turns a truncated file into a half-grey picture without a message and allocates whatever
//! size a header claims, so a frame is walked through here, marker by marker, before it may enter a pipeline.

use thiserror::Error;

/// What a picture may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height.
    pub max_pixels: u32,
    /// Scans; a progressive picture has several.
    pub max_scans: u32,
}

/// What the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width in pixels, 1 to 65535.
    pub width: u16,
    /// Height in pixels, 1 to 65535.
    pub height: u16,
    /// 1 (grey) or 3 (colour).
    pub components: u8,
    /// Whether it is a progressive picture.
    pub progressive: bool,
    /// Number of scans.
    pub scans: u32,
    /// Bytes from SOI to EOI, both included; what follows is not part of the picture.
    pub length: usize,
}

/// Why a JPEG is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JpegError {
    /// Other data.
    #[error("not a JPEG: it does not start with FF D8")]
    NotJpeg,
    /// The data end before the end-of-image marker.
    #[error("the JPEG is truncated: it ends after {length} bytes without an end-of-image marker")]
    Truncated {
        /// Bytes there are.
        length: usize,
    },
    /// The structure of markers and lengths is broken.
    #[error("the JPEG is damaged at byte {offset}: {cause}")]
    Damaged {
        /// Where.
        offset: usize,
        /// What is wrong there.
        cause: &'static str,
    },
    /// A kind of JPEG that is not decoded.
    #[error("{0} JPEG is not supported; send 8-bit grey or YCbCr, baseline or progressive")]
    Unsupported(&'static str),
    /// Larger than allowed.
    #[error("{width} x {height} pixels are too many: at most {max} are allowed (server.max_pixels)")]
    TooManyPixels {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
        /// Pixels allowed.
        max: u32,
    },
    /// More scans than allowed.
    #[error("more than {max} scans are too many (server.max_scans)")]
    TooManyScans {
        /// Scans allowed.
        max: u32,
    },
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
const DAC: u8 = 0xcc;
/// TEM and RST0 to RST7: markers without a length.
const STANDALONE: [std::ops::RangeInclusive<u8>; 2] = [0x01..=0x01, 0xd0..=0xd7];

/// Walks through the markers of `bytes`. Reads every byte at most once and allocates nothing.
///
/// # Errors
///
/// See [`JpegError`]. Damage inside the compressed data of a scan cannot be seen here.
pub fn check(bytes: &[u8], limits: Limits) -> Result<Header, JpegError> {
    if !bytes.starts_with(&[0xff, SOI]) {
        return Err(JpegError::NotJpeg);
    }
    let mut walk = Walk { bytes, offset: 2 };
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        let start = walk.offset;
        let damaged = |cause| JpegError::Damaged { offset: start, cause };
        match walk.marker()? {
            EOI => {
                let frame = frame.ok_or_else(|| damaged("it ends without a frame header"))?;
                if scans == 0 {
                    return Err(damaged("it ends without a scan"));
                }
                return Ok(Header {
                    width: frame.width,
                    height: frame.height,
                    components: frame.components.len,
                    progressive: frame.progressive,
                    scans,
                    length: walk.offset,
                });
            }
            SOI => return Err(damaged("a second start-of-image marker")),
            SOS => {
                let frame = frame.as_ref().ok_or_else(|| damaged("a scan before the frame header"))?;
                frame.scan(walk.segment()?).map_err(damaged)?;
                scans += 1;
                if scans > limits.max_scans {
                    return Err(JpegError::TooManyScans { max: limits.max_scans });
                }
                walk.skip_entropy_coded();
            }
            marker @ 0xc0..=0xcf if marker != DHT && marker != DAC => {
                if let Some(kind) = unsupported(marker) {
                    return Err(JpegError::Unsupported(kind));
                }
                if frame.is_some() {
                    return Err(damaged("a second frame header"));
                }
                frame = Some(Frame::read(walk.segment()?, marker == 0xc2, start, limits)?);
            }
            marker if STANDALONE.iter().any(|range| range.contains(&marker)) => {}
            // Reserved by T.81: no encoder writes them, so this is no longer the structure of a JPEG.
            0x00 | 0x02..=0xbf => return Err(damaged("a marker that does not exist")),
            _ => {
                walk.segment()?;
            }
        }
    }
}

/// The name of a process that is not decoded, by its start-of-frame marker.
fn unsupported(marker: u8) -> Option<&'static str> {
    match marker {
        0xc0..=0xc2 => None,
        0xc3 => Some("lossless"),
        0xc5..=0xc7 => Some("hierarchical"),
        0xc8 => Some("extended (JPG)"),
        0xcb => Some("lossless arithmetic-coded"),
        0xcd..=0xcf => Some("hierarchical arithmetic-coded"),
        _ => Some("arithmetic-coded"),
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    fn truncated(&self) -> JpegError {
        JpegError::Truncated { length: self.bytes.len() }
    }

    /// Reads a marker, with any number of fill bytes before it.
    fn marker(&mut self) -> Result<u8, JpegError> {
        let start = self.offset;
        let rest = self.bytes.get(start..).unwrap_or_default();
        match rest.first() {
            None => return Err(self.truncated()),
            Some(0xff) => {}
            Some(_) => {
                return Err(JpegError::Damaged { offset: start, cause: "no marker where one must be" });
            }
        }
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        let marker = *rest.get(fill).ok_or_else(|| self.truncated())?;
        self.offset = start + fill + 1;
        Ok(marker)
    }

    /// Reads a segment: its length, then its contents, which are returned.
    fn segment(&mut self) -> Result<&'a [u8], JpegError> {
        let start = self.offset;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let [high, low, ..] = rest else { return Err(self.truncated()) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < 2 {
            return Err(JpegError::Damaged { offset: start, cause: "a segment shorter than its own length" });
        }
        let contents = rest.get(2..length).ok_or_else(|| self.truncated())?;
        self.offset = start + length;
        Ok(contents)
    }

    /// Goes to the next marker that is not part of compressed data (FF 00 is a stuffed byte, RST0 to RST7 restart).
    fn skip_entropy_coded(&mut self) {
        let mut offset = self.offset;
        while let Some(found) =
            self.bytes.get(offset..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff))
        {
            offset += found;
            match self.bytes.get(offset + 1) {
                Some(0x00 | 0xd0..=0xd7) => offset += 2,
                Some(0xff) => offset += 1,
                _ => break,
            }
        }
        self.offset = if self.bytes.get(offset) == Some(&0xff) { offset } else { self.bytes.len() };
    }
}

#[derive(Clone, Copy)]
struct Components {
    ids: [u8; 3],
    len: u8,
}

struct Frame {
    width: u16,
    height: u16,
    components: Components,
    progressive: bool,
}

impl Frame {
    fn read(segment: &[u8], progressive: bool, offset: usize, limits: Limits) -> Result<Self, JpegError> {
        let damaged = |cause| JpegError::Damaged { offset, cause };
        let [precision, h1, h0, w1, w0, count, table @ ..] = segment else {
            return Err(damaged("a frame header that is too short"));
        };
        match precision {
            8 => {}
            12 => return Err(JpegError::Unsupported("12-bit")),
            _ => return Err(damaged("a precision that does not exist")),
        }
        let height = u16::from_be_bytes([*h1, *h0]);
        let width = u16::from_be_bytes([*w1, *w0]);
        if width == 0 || height == 0 {
            return Err(damaged("a picture without width or height"));
        }
        match count {
            1 | 3 => {}
            4 => return Err(JpegError::Unsupported("CMYK")),
            _ => return Err(damaged("a number of components that is neither 1 nor 3")),
        }
        if table.len() != 3 * usize::from(*count) {
            return Err(damaged("a frame header of the wrong length"));
        }
        let mut components = Components { ids: [0; 3], len: *count };
        for (id, entry) in components.ids.iter_mut().zip(table.chunks_exact(3)) {
            *id = entry[0];
            let (horizontal, vertical) = (entry[1] >> 4, entry[1] & 15);
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                return Err(damaged("a sampling factor outside 1 to 4"));
            }
        }
        if u32::from(width) * u32::from(height) > limits.max_pixels {
            return Err(JpegError::TooManyPixels { width, height, max: limits.max_pixels });
        }
        Ok(Self { width, height, components, progressive })
    }

    fn scan(&self, segment: &[u8]) -> Result<(), &'static str> {
        let [count, rest @ ..] = segment else { return Err("a scan header that is too short") };
        if *count == 0 || *count > self.components.len || rest.len() != 2 * usize::from(*count) + 3 {
            return Err("a scan header of the wrong length");
        }
        let known = &self.components.ids[..usize::from(self.components.len)];
        let selected = rest.chunks_exact(2).take(usize::from(*count));
        if selected.into_iter().all(|entry| known.contains(&entry[0])) {
            Ok(())
        } else {
            Err("a scan of a component that does not exist")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_pixels: 2_073_600, max_scans: 64 };

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], contents].concat()
    }

    fn frame(marker: u8, precision: u8, width: u16, height: u16, components: u8) -> Vec<u8> {
        let mut contents = vec![precision];
        contents.extend(height.to_be_bytes());
        contents.extend(width.to_be_bytes());
        contents.push(components);
        for id in 1..=components {
            contents.extend([id, 0x22, 0]);
        }
        segment(marker, &contents)
    }

    fn scan(components: u8) -> Vec<u8> {
        let mut contents = vec![components];
        for id in 1..=components {
            contents.extend([id, 0]);
        }
        contents.extend([0, 63, 0]);
        [segment(SOS, &contents), vec![0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]].concat()
    }

    fn file(parts: &[Vec<u8>]) -> Vec<u8> {
        [vec![0xff, SOI], segment(0xe0, b"JFIF\0"), parts.concat(), vec![0xff, EOI]].concat()
    }

    fn plain() -> Vec<u8> {
        file(&[frame(0xc0, 8, 640, 480, 3), segment(DHT, &[0; 17]), scan(3)])
    }

    #[test]
    fn the_headers_of_a_picture_are_read() {
        let bytes = plain();
        let header = check(&bytes, LIMITS).unwrap();
        assert_eq!(
            header,
            Header {
                width: 640,
                height: 480,
                components: 3,
                progressive: false,
                scans: 1,
                length: bytes.len()
            }
        );
        let grey = check(&file(&[frame(0xc2, 8, 1, 1, 1), scan(1), scan(1)]), LIMITS).unwrap();
        assert_eq!((grey.components, grey.progressive, grey.scans), (1, true, 2));
    }

    #[test]
    fn what_follows_the_picture_is_not_part_of_it() {
        let bytes = plain();
        let longer = [bytes.clone(), vec![0; 100]].concat();
        assert_eq!(check(&longer, LIMITS).unwrap().length, bytes.len());
    }

    #[test]
    fn fill_bytes_before_a_marker_are_passed_over() {
        let bytes = [vec![0xff, SOI, 0xff, 0xff, 0xff], plain().split_off(3)].concat();
        assert!(check(&bytes, LIMITS).is_ok());
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = plain();
        for length in 2..bytes.len() {
            let error = check(&bytes[..length], LIMITS).unwrap_err();
            assert_eq!(error, JpegError::Truncated { length }, "cut at {length}");
        }
        assert_eq!(check(&bytes[..1], LIMITS), Err(JpegError::NotJpeg));
        assert_eq!(check(b"", LIMITS), Err(JpegError::NotJpeg));
        assert_eq!(check(b"\x89PNG\r\n", LIMITS), Err(JpegError::NotJpeg));
    }

    #[test]
    fn kinds_that_are_not_decoded_are_refused_by_name() {
        let cases = [
            (frame(0xc0, 8, 8, 8, 4), "CMYK"),
            (frame(0xc1, 12, 8, 8, 3), "12-bit"),
            (frame(0xc3, 8, 8, 8, 3), "lossless"),
            (frame(0xc5, 8, 8, 8, 3), "hierarchical"),
            (frame(0xc9, 8, 8, 8, 3), "arithmetic-coded"),
            (frame(0xca, 8, 8, 8, 3), "arithmetic-coded"),
            (frame(0xcb, 8, 8, 8, 3), "lossless arithmetic-coded"),
        ];
        for (header, name) in cases {
            assert_eq!(check(&file(&[header, scan(1)]), LIMITS), Err(JpegError::Unsupported(name)));
        }
    }

    #[test]
    fn a_picture_with_too_many_pixels_or_scans_is_refused() {
        let bomb = file(&[frame(0xc0, 8, 30_000, 30_000, 3), scan(3)]);
        let error = JpegError::TooManyPixels { width: 30_000, height: 30_000, max: LIMITS.max_pixels };
        assert_eq!(check(&bomb, LIMITS), Err(error));
        let largest = file(&[frame(0xc0, 8, 1920, 1080, 3), scan(3)]);
        assert!(check(&largest, LIMITS).is_ok());

        let scans = |count| file(&[frame(0xc2, 8, 64, 64, 3), scan(1).repeat(count)]);
        assert!(check(&scans(64), LIMITS).is_ok());
        assert_eq!(check(&scans(1000), LIMITS), Err(JpegError::TooManyScans { max: 64 }));
    }

    #[test]
    fn a_broken_structure_is_refused_with_its_place() {
        let cases: [(Vec<u8>, &str); 10] = [
            (file(&[]), "without a frame header"),
            (file(&[frame(0xc0, 8, 8, 8, 1)]), "without a scan"),
            (file(&[scan(1)]), "before the frame header"),
            (file(&[frame(0xc0, 8, 8, 8, 1), frame(0xc0, 8, 8, 8, 1)]), "second frame header"),
            (file(&[frame(0xc0, 8, 0, 8, 1)]), "without width"),
            (file(&[frame(0xc0, 8, 8, 8, 2)]), "neither 1 nor 3"),
            (file(&[frame(0xc0, 9, 8, 8, 1)]), "precision"),
            (file(&[frame(0xc0, 8, 8, 8, 1), scan(3)]), "scan header of the wrong length"),
            (file(&[vec![0xff, 0x02]]), "does not exist"),
            (file(&[vec![0x00, 0x02]]), "no marker"),
        ];
        for (bytes, cause) in cases {
            let message = check(&bytes, LIMITS).unwrap_err().to_string();
            assert!(message.contains(cause) && message.contains("at byte"), "{message}");
        }
        let zero_length = [&[0xff, SOI, 0xff, 0xe0, 0, 1][..], &plain()[2..]].concat();
        assert!(check(&zero_length, LIMITS).unwrap_err().to_string().contains("shorter than its own length"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = check(&bytes, LIMITS);
            let _ = check(&[vec![0xff, SOI], bytes].concat(), LIMITS);
        }

        #[test]
        fn no_mutation_panics_or_escapes_the_limits(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = plain();
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(header) = check(&bytes, LIMITS) {
                prop_assert!(u32::from(header.width) * u32::from(header.height) <= LIMITS.max_pixels);
                prop_assert!(header.scans <= LIMITS.max_scans && header.scans > 0);
                prop_assert!(header.length <= bytes.len());
                prop_assert_eq!(&bytes[header.length - 2..header.length], &[0xff, EOI]);
            }
        }
    }
}
