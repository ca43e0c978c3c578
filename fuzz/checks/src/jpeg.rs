//! A frame: what is judged of a JPEG before a decoder sees it.

use std::fs;

use dactyl_tests::jpeg::without_huffman_tables;
use dactyl_tests::recordings::shared;
use gstdactyl::jpeg::{self, JpegError, Limits};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::assert_told;

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"\xFF\xD8",
    b"\xFF\xD9",
    b"\xFF\xDA",
    b"\xFF\xDB",
    b"\xFF\xC4",
    b"\xFF\xC0",
    b"\xFF\xC1",
    b"\xFF\xC2",
    b"\xFF\xC3",
    b"\xFF\xDD\x00\x04\x00\x01",
    b"\xFF\xD0",
    b"\xFF\x00",
    b"\xFF\xFF",
    b"\xFF\xFE\x00\x02",
    b"\xFF\xE0\x00\x10JFIF\0",
    b"\xFF\xE1\x00\x22Exif\0\0",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
    b"\xFF\xEE\x00\x0EAdobe",
    b"\x11",
    b"\x22",
    b"\x41",
    b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00\x12",
    b"\xFF\xDA\x00\x08\x01\x01\x00\x01\x3F\x00\x12",
];

/// The defaults of `server.max_pixels` and `server.max_scans`.
const LIMITS: Limits = Limits { max_pixels: 2_073_600, max_scans: 16 };

/// Pictures of all kinds, small ones, and those of the field.
pub fn seeds() -> Vec<Vec<u8>> {
    let colours = |set_up: fn(&mut Encoder<&mut Vec<u8>>)| encoded(ColorType::Rgb, set_up);
    let mut seeds = vec![
        colours(|_| ()),
        colours(|encoder| encoder.set_progressive(true)),
        colours(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2)),
        colours(|encoder| encoder.set_restart_interval(1)),
        encoded(ColorType::Luma, |_| ()),
        encoded(ColorType::Cmyk, |_| ()),
        without_huffman_tables(&colours(|_| ())),
        include_bytes!("../../../models/holistic/tests/drawn_person/odd.jpg").to_vec(),
    ];
    seeds.extend((1..=8).map(|orientation| lying(orientation, &colours(|_| ()))));
    for folder in ["cases/jpeg", "cases/hostile"].into_iter().filter_map(shared) {
        let files = fs::read_dir(folder).expect("a folder of pictures");
        let mut files: Vec<_> = files.map(|file| file.expect("a picture").path()).collect();
        files.sort();
        seeds.extend(files.iter().map(|file| fs::read(file).expect("a picture")));
    }
    seeds
}

/// A picture of 16 x 16 pixels.
fn encoded(kind: ColorType, set_up: fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let pixels: Vec<u8> = (0..16 * 16 * 4).map(|index: u32| (index * index / 7 % 251) as u8).collect();
    let channels = match kind {
        ColorType::Luma => 1,
        ColorType::Cmyk => 4,
        _ => 3,
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 50);
    set_up(&mut encoder);
    encoder.encode(&pixels[..16 * 16 * channels], 16, 16, kind).expect("pixels of that size");
    bytes
}

/// With Exif metadata that say how it lies.
fn lying(orientation: u8, jpeg: &[u8]) -> Vec<u8> {
    let mut tiff = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0";
    tiff[18] = orientation;
    let length = u16::try_from(2 + 6 + tiff.len()).expect("a segment's length").to_be_bytes();
    [&jpeg[..2], b"\xFF\xE1", &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

/// Checks one picture. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let header = match jpeg::check(input, LIMITS) {
        Ok(header) => header,
        Err(error) => {
            assert_told(&error.to_string());
            if let JpegError::Damaged { offset, .. } = error {
                assert!(offset <= input.len(), "byte {offset} of {}", input.len());
            }
            return false;
        }
    };
    assert!(header.width > 0 && header.height > 0 && header.width.max(header.height) <= jpeg::MAX_SIDE);
    assert!(u32::from(header.width) * u32::from(header.height) <= LIMITS.max_pixels, "{header:?}");
    assert!((1..=LIMITS.max_scans).contains(&header.scans), "{header:?}");
    assert!(matches!(header.components, 1 | 3), "{header:?}");

    // What follows the picture means nothing, and no byte of it can be missed.
    let picture = &input[..header.length];
    assert_eq!(jpeg::check(picture, LIMITS), Ok(header));
    assert!(jpeg::check(&picture[..header.length - 1], LIMITS).is_err(), "cut short, and accepted");

    let Some(rewritten) = header.rewritten(input) else { return true };
    let again = jpeg::check(&rewritten, LIMITS).expect("what is given to the decoder is accepted");
    assert_eq!(
        (again.width, again.height, again.components),
        (header.width, header.height, header.components)
    );
    assert_eq!((again.progressive, again.scans), (header.progressive, header.scans));
    assert_eq!((again.orientation, again.length), (header.orientation, rewritten.len()));
    assert_eq!(again.rewritten(&rewritten), None, "rewritten twice");
    true
}
