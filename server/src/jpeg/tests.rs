use super::*;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

const LIMITS: Limits = Limits { max_pixels: 2_073_600, max_scans: 64 };

/// A picture with some detail, as a real encoder writes it.
fn encoded(
    width: u16,
    height: u16,
    kind: ColorType,
    set_up: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let channels = match kind {
        ColorType::Luma => 1,
        ColorType::Cmyk | ColorType::CmykAsYcck => 4,
        _ => 3,
    };
    let length = usize::from(width) * usize::from(height) * channels;
    let pixels: Vec<u8> = (0..length).map(|index| (index * index / 7 % 251) as u8).collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 80);
    set_up(&mut encoder);
    encoder.encode(&pixels, width, height, kind).unwrap();
    bytes
}

fn plain() -> Vec<u8> {
    encoded(40, 24, ColorType::Rgb, |_| {})
}

fn progressive() -> Vec<u8> {
    encoded(40, 24, ColorType::Rgb, |encoder| encoder.set_progressive(true))
}

fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], contents].concat()
}

fn frame(marker: u8, precision: u8, width: u16, height: u16, components: u8) -> Vec<u8> {
    let mut contents = vec![precision];
    contents.extend(height.to_be_bytes());
    contents.extend(width.to_be_bytes());
    contents.push(components);
    for id in 1..=components {
        contents.extend([id, 0x11, 0]);
    }
    segment(marker, &contents)
}

/// A scan of components 1 to `components` with coefficients `first` to `last`.
fn scan(components: u8, first: u8, last: u8) -> Vec<u8> {
    let mut contents = vec![components];
    for id in 1..=components {
        contents.extend([id, 0]);
    }
    contents.extend([first, last, 0]);
    [segment(SOS, &contents), vec![0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD0, 0x56]].concat()
}

fn quantisation() -> Vec<u8> {
    segment(DQT, &[&[0][..], &[1; 64]].concat())
}

fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![0xFF, SOI], segment(0xE0, b"JFIF\0"), quantisation(), parts.concat(), vec![0xFF, EOI]].concat()
}

/// Replaces the contents of the first segment of that kind.
fn with_segment(bytes: &[u8], marker: u8, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let start = bytes.windows(2).position(|pair| pair == [0xFF, marker]).unwrap();
    let end = start + 2 + usize::from(u16::from_be_bytes([bytes[start + 2], bytes[start + 3]]));
    let mut contents = bytes[start + 4..end].to_vec();
    change(&mut contents);
    [&bytes[..start], &segment(marker, &contents), &bytes[end..]].concat()
}

#[test]
fn what_encoders_write_is_accepted_and_described() {
    let bytes = plain();
    let expected =
        Header { width: 40, height: 24, components: 3, progressive: false, scans: 1, length: bytes.len() };
    assert_eq!(check(&bytes, LIMITS), Ok(expected));

    let bytes = progressive();
    let header = check(&bytes, LIMITS).unwrap();
    assert!(header.progressive && header.scans > 3, "{header:?}");

    let grey = check(&encoded(1, 1, ColorType::Luma, |_| {}), LIMITS).unwrap();
    assert_eq!((grey.width, grey.height, grey.components), (1, 1, 1));
    let grey = encoded(33, 17, ColorType::Luma, |encoder| encoder.set_progressive(true));
    assert_eq!(check(&grey, LIMITS).unwrap().components, 1);

    for sampling in [
        SamplingFactor::R_4_4_4,
        SamplingFactor::R_4_4_0,
        SamplingFactor::R_4_2_2,
        SamplingFactor::R_4_2_0,
        SamplingFactor::R_4_1_1,
        SamplingFactor::R_4_1_0,
    ] {
        for (is_progressive, is_optimized, restart) in [(false, false, 2), (true, false, 2), (false, true, 0)]
        {
            let bytes = encoded(35, 19, ColorType::Rgb, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(is_progressive);
                encoder.set_optimized_huffman_tables(is_optimized);
                encoder.set_restart_interval(restart);
            });
            let header = check(&bytes, LIMITS).unwrap();
            assert_eq!(header.length, bytes.len(), "{sampling:?} {is_progressive}");
        }
    }
}

#[test]
fn a_picture_without_huffman_tables_is_motion_jpeg() {
    assert!(check(&file(&[frame(SOF_BASELINE, 8, 8, 8, 1), scan(1, 0, 63)]), LIMITS).is_ok());
}

#[test]
fn what_follows_the_picture_is_no_part_of_it() {
    let bytes = plain();
    for tail in [&[0; 100][..], &plain(), b"\xFF\xD8\xFF"] {
        assert_eq!(check(&[&bytes, tail].concat(), LIMITS).unwrap().length, bytes.len());
    }
}

#[test]
fn metadata_may_hold_anything_and_markers_may_be_filled() {
    let thumbnail = segment(0xE1, &file(&[frame(SOF_BASELINE, 8, 30_000, 30_000, 4), scan(1, 0, 63)]));
    let comment = segment(COM, b"\xFF\xD9");
    let bytes = plain();
    let bytes = [&bytes[..2], &thumbnail, &comment, &[0xFF; 5], &bytes[2..]].concat();
    assert_eq!(check(&bytes, LIMITS).unwrap().length, bytes.len());
}

#[test]
fn every_truncation_is_refused_as_one() {
    for bytes in [plain(), progressive()] {
        for length in 2..bytes.len() {
            let error = check(&bytes[..length], LIMITS).unwrap_err();
            assert!(
                matches!(error, JpegError::Truncated { length: found, .. } if found == length),
                "cut at {length}: {error}"
            );
        }
    }
}

#[test]
fn other_data_are_refused_by_name() {
    for (bytes, name) in [
        (&b""[..], "no data at all"),
        (b"\x89PNG\r\n\x1A\n", "a PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP"),
        (b"GIF89a", "a GIF"),
        (b"BM", "a BMP"),
        (b"\0\0\0\x1Cftypavif", "an AVIF, HEIC or MP4"),
        (b"\x1A\x45\xDF\xA3", "a WebM"),
        (b"\xFF", "unknown data"),
        (b"hello", "unknown data"),
    ] {
        assert_eq!(check(bytes, LIMITS), Err(JpegError::NotJpeg(name)));
    }
}

#[test]
fn kinds_that_are_not_decoded_are_refused_by_name() {
    let cmyk = "CMYK (four-component)";
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        assert_eq!(check(&encoded(8, 8, kind, |_| {}), LIMITS), Err(JpegError::Unsupported(cmyk)));
    }
    for (header, name) in [
        (frame(SOF_BASELINE, 8, 8, 8, 2), "two-component"),
        (frame(SOF_BASELINE, 8, 8, 8, 9), "many-component"),
        (frame(SOF_EXTENDED, 12, 8, 8, 3), "12-bit"),
        (frame(SOF_PROGRESSIVE, 12, 8, 8, 1), "12-bit"),
        (frame(0xC3, 8, 8, 8, 3), "lossless"),
        (frame(0xC5, 8, 8, 8, 3), "hierarchical"),
        (frame(0xDE, 8, 8, 8, 3), "hierarchical"),
        (frame(0xC9, 8, 8, 8, 3), "arithmetic-coded"),
        (frame(0xCA, 8, 8, 8, 3), "arithmetic-coded"),
        (frame(0xCE, 8, 8, 8, 3), "hierarchical arithmetic-coded"),
        (frame(0xF7, 8, 8, 8, 3), "JPEG-LS"),
    ] {
        assert_eq!(check(&file(&[header, scan(1, 0, 63)]), LIMITS), Err(JpegError::Unsupported(name)));
    }
    let finer_chroma = with_segment(&plain(), SOF_BASELINE, |contents| contents[10] = 0x41);
    let name = "finer chroma than luma in a";
    assert_eq!(check(&finer_chroma, LIMITS), Err(JpegError::Unsupported(name)));
}

#[test]
fn a_picture_with_a_side_too_long_for_the_pipeline_is_refused() {
    let of = |width, height| file(&[frame(SOF_BASELINE, 8, width, height, 3), scan(3, 0, 63)]);
    for (width, height) in [(MAX_SIDE + 1, 8), (8, MAX_SIDE + 1), (u16::MAX, 8)] {
        assert_eq!(check(&of(width, height), LIMITS), Err(JpegError::SideTooLong { width, height }));
    }
    let longest = Limits { max_pixels: u32::MAX, ..LIMITS };
    assert!(check(&of(MAX_SIDE, MAX_SIDE), longest).is_ok());
}

#[test]
fn a_picture_with_too_many_pixels_is_refused_by_its_header_alone() {
    let bomb = file(&[frame(SOF_BASELINE, 8, 30_000, 30_000, 3), scan(3, 0, 63)]);
    let error = check(&bomb, LIMITS).unwrap_err();
    assert_eq!(error, JpegError::TooManyPixels { width: 30_000, height: 30_000, max_pixels: 2_073_600 });
    assert!(error.to_string().contains("900000000 pixels"), "{error}");
    let largest = file(&[frame(SOF_BASELINE, 8, u16::MAX, u16::MAX, 3), scan(3, 0, 63)]);
    assert!(matches!(check(&largest, LIMITS), Err(JpegError::TooManyPixels { .. })));

    let exact = Limits { max_pixels: 40 * 24, ..LIMITS };
    assert!(check(&plain(), exact).is_ok());
    assert!(check(&plain(), Limits { max_pixels: 40 * 24 - 1, ..exact }).is_err());
}

#[test]
fn a_progressive_bomb_is_refused_at_the_limit_of_scans() {
    let tables = || segment(DHT, &[&[0; 17][..], &[0x10], &[0; 16]].concat());
    let bomb = |count: usize| {
        let refinements = scan(1, 1, 63).repeat(count - 1);
        file(&[frame(SOF_PROGRESSIVE, 8, 1920, 1080, 1), tables(), scan(1, 0, 0), refinements])
    };
    assert_eq!(check(&bomb(64), LIMITS).unwrap().scans, 64);
    assert_eq!(check(&bomb(65), LIMITS), Err(JpegError::TooManyScans { max_scans: 64 }));
    assert_eq!(check(&bomb(1000), LIMITS), Err(JpegError::TooManyScans { max_scans: 64 }));
}

#[test]
fn no_width_or_height_is_refused() {
    for (width, height) in [(0, 8), (8, 0), (0, 0)] {
        let bytes = file(&[frame(SOF_BASELINE, 8, width, height, 1), scan(1, 0, 63)]);
        assert_eq!(check(&bytes, LIMITS), Err(JpegError::Empty { width, height }));
    }
}

#[test]
fn contradictions_are_refused_with_their_place() {
    let grey = || frame(SOF_BASELINE, 8, 8, 8, 1);
    let colour = || frame(SOF_BASELINE, 8, 8, 8, 3);
    let components = |change: fn(&mut Vec<u8>)| with_segment(&plain(), SOF_BASELINE, change);
    let scan_header = |change: fn(&mut Vec<u8>)| with_segment(&plain(), SOS, change);
    for (bytes, problem) in [
        (file(&[]), "without any image data"),
        (file(&[grey()]), "without any image data"),
        (file(&[scan(1, 0, 63)]), "before the frame header"),
        (file(&[grey(), grey()]), "second frame header"),
        (file(&[colour(), scan(1, 0, 63)]), "without image data of all its components"),
        (file(&[frame(SOF_BASELINE, 9, 8, 8, 1)]), "precision"),
        (file(&[grey(), scan(3, 0, 63)]), "scan header of the wrong length"),
        (file(&[grey(), segment(SOS, &[]), vec![1]]), "empty scan header"),
        (file(&[grey(), segment(SOS, &[1, 1, 0, 0, 63, 0])]), "without image data"),
        (file(&[grey(), segment(SOS, &[1, 1, 0, 0, 63, 0]), vec![0xFF]]), "without image data"),
        (file(&[vec![0xFF, 0x02]]), "unknown marker"),
        (file(&[vec![0xFF, SOI]]), "unknown marker"),
        (file(&[vec![0x00, 0x02]]), "where a marker should be"),
        (file(&[segment(DRI, &[1])]), "not two bytes"),
        (file(&[segment(DQT, &[0; 64])]), "bad quantisation table"),
        (file(&[segment(DQT, &[4; 65])]), "bad quantisation table"),
        (file(&[segment(DHT, &[0; 16])]), "bad Huffman table"),
        (file(&[segment(DHT, &[0xFF; 300])]), "bad Huffman table"),
        (file(&[segment(DHT, &[1; 17])]), "bad Huffman table"),
        (file(&[segment(DHT, &[0; 17]), grey(), scan(1, 0, 63)]), "Huffman table is missing"),
        (file(&[frame(SOF_PROGRESSIVE, 8, 8, 8, 1), scan(1, 0, 63)]), "refines nothing"),
        (file(&[frame(SOF_PROGRESSIVE, 8, 8, 8, 1), scan(1, 5, 4)]), "refines nothing"),
        (file(&[frame(SOF_PROGRESSIVE, 8, 8, 8, 1), scan(1, 1, 64)]), "refines nothing"),
        (components(|contents| contents[7] = 0x51), "sampling factor"),
        (components(|contents| contents[7] = 0x10), "sampling factor"),
        (
            components(|contents| {
                contents[7] = 0x42;
                contents[10] = 0x22;
                contents[13] = 0x22;
            }),
            "too many blocks",
        ),
        (components(|contents| contents[8] = 4), "quantisation table that cannot exist"),
        (components(|contents| contents[8] = 3), "quantisation table is missing"),
        (components(|contents| contents[9] = contents[6]), "two components with one name"),
        (components(|contents| contents.push(0)), "frame header of the wrong length"),
        (components(|contents| contents.truncate(5)), "too short"),
        (scan_header(|contents| contents[1] = 99), "does not list"),
        (scan_header(|contents| contents[3] = contents[1]), "does not list"),
        (scan_header(|contents| contents[2] = 0x20), "Huffman table that cannot exist"),
    ] {
        let message = check(&bytes, LIMITS).unwrap_err().to_string();
        assert!(message.contains(problem) && message.contains("at byte"), "{problem}: {message}");
    }
    let zero_length = [&[0xFF, SOI, 0xFF, 0xE0, 0, 1][..], &plain()[2..]].concat();
    assert!(check(&zero_length, LIMITS).unwrap_err().to_string().contains("shorter than its own length"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = check(&bytes, LIMITS);
        let _ = check(&[vec![0xFF, SOI], bytes].concat(), LIMITS);
    }

    #[test]
    fn no_mutation_panics_or_escapes_the_limits(
        is_progressive in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = if is_progressive { progressive() } else { plain() };
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(header) = check(&bytes, LIMITS) {
            prop_assert!(header.width > 0 && header.height > 0);
            prop_assert!(u32::from(header.width) * u32::from(header.height) <= LIMITS.max_pixels);
            prop_assert!((1..=LIMITS.max_scans).contains(&header.scans));
            prop_assert_eq!(&bytes[header.length - 2..header.length], &[0xFF, EOI]);
            // The answer depends on nothing behind the picture.
            prop_assert_eq!(check(&bytes[..header.length], LIMITS), Ok(header));
        }
    }
}
