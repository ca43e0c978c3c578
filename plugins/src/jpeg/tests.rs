use std::collections::BTreeMap;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::*;

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
    let expected = Header {
        width: 40,
        height: 24,
        components: 3,
        progressive: false,
        scans: 1,
        length: bytes.len(),
        orientation: VideoOrientationMethod::Identity,
        grey_factors_at: None,
        implies_tables: false,
    };
    assert_eq!(check(&bytes, LIMITS), Ok(expected));
    assert_eq!(expected.rewritten(&bytes), None);

    let bytes = progressive();
    let header = check(&bytes, LIMITS).unwrap();
    assert!(header.progressive && header.scans > 3, "{header:?}");

    let grey = check(&encoded(1, 1, ColorType::Luma, |_| {}), LIMITS).unwrap();
    assert_eq!((grey.width, grey.height, grey.components), (1, 1, 1));
    let grey = encoded(33, 17, ColorType::Luma, |encoder| encoder.set_progressive(true));
    assert_eq!(check(&grey, LIMITS).unwrap().components, 1);

    for sampling in
        [SamplingFactor::R_4_4_4, SamplingFactor::R_4_4_0, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0]
    {
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

/// Contents of every segment of that kind.
fn segments(bytes: &[u8], marker: u8) -> Vec<&[u8]> {
    let mut reader = Reader { bytes, at: SOI_LENGTH };
    let mut found = Vec::new();
    loop {
        let (code, _) = reader.marker().unwrap();
        if code == EOI {
            return found;
        }
        let (contents, _) = reader.segment("").unwrap();
        if code == marker {
            found.push(contents);
        }
        if code == SOS {
            reader.skip_entropy_coded().unwrap();
        }
    }
}

/// Huffman tables by class and slot.
fn huffman_tables(bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut tables = BTreeMap::new();
    for mut segment in segments(bytes, DHT) {
        while let Some((slot, rest)) = segment.split_first() {
            let length = 16 + rest[..16].iter().map(|&count| usize::from(count)).sum::<usize>();
            tables.insert(*slot, rest[..length].to_vec());
            segment = &rest[length..];
        }
    }
    tables
}

/// Removes every segment of that kind.
fn without_segments(bytes: &[u8], marker: u8) -> Vec<u8> {
    let mut kept = bytes.to_vec();
    while let Some(start) = kept.windows(2).position(|pair| pair == [0xFF, marker]) {
        let length = usize::from(u16::from_be_bytes([kept[start + 2], kept[start + 3]]));
        kept.drain(start..start + 2 + length);
    }
    kept
}

/// A decoder would go on with the tables of the picture before.
#[test]
fn motion_jpeg_without_huffman_tables_gets_those_that_it_means() {
    let whole = plain();
    let motion = without_segments(&whole, DHT);
    let header = check(&motion, LIMITS).unwrap();
    let rewritten = header.rewritten(&[&motion[..], b"tail"].concat()).unwrap();
    assert_eq!(huffman_tables(&whole).len(), 4);
    assert_eq!(huffman_tables(&rewritten), huffman_tables(&whole));
    assert_eq!(without_segments(&rewritten, DHT), motion);
    assert_eq!(check(&rewritten, LIMITS).unwrap().rewritten(&rewritten), None);
}

/// Sampling factors of three components in the frame header of [`plain`], 40 pixels wide, or a wider one.
fn sampled(width: u16, factors: [[u8; 2]; 3]) -> Vec<u8> {
    with_segment(&plain(), SOF_BASELINE, |contents| {
        contents[3..5].copy_from_slice(&width.to_be_bytes());
        for (component, [horizontal, vertical]) in factors.into_iter().enumerate() {
            contents[7 + 3 * component] = horizontal << 4 | vertical;
        }
    })
}

#[test]
fn sampling_factors_that_the_decoder_gets_wrong_are_refused_by_name() {
    let factors: Vec<[u8; 2]> =
        (1..=4).flat_map(|horizontal| (1..=4).map(move |vertical| [horizontal, vertical])).collect();
    let mut accepted = Vec::new();
    for &luma in &factors {
        for &first in &factors {
            for &second in &factors {
                let sampling = [luma, first, second];
                match check(&sampled(640, sampling), LIMITS) {
                    Ok(_) => accepted.push(Sampling(sampling).to_string()),
                    Err(error) => {
                        let sampling = Sampling(sampling);
                        let expected =
                            JpegError::UnsupportedSampling { colours: "YCbCr", sampling, width: 640 };
                        assert_eq!(error, expected);
                        assert!(error.to_string().contains(&sampling.to_string()), "{error}");
                    }
                }
            }
        }
    }
    assert_eq!(accepted, ["1x1,1x1,1x1", "1x2,1x1,1x1", "2x1,1x1,1x1", "2x2,1x1,1x1", "2x2,1x2,1x2"]);
    let name = "YCbCr JPEG with the sampling factors 2x2,1x2,1x2 and a width of 648 is not supported: encode";
    let error = check(&sampled(648, [[2, 2], [1, 2], [1, 2]]), LIMITS).unwrap_err().to_string();
    assert!(error.starts_with(name), "{error}");
}

#[test]
fn sampling_factors_of_grey_pictures_mean_nothing() {
    let grey = encoded(33, 17, ColorType::Luma, |_| {});
    assert_eq!(check(&grey, LIMITS).unwrap().rewritten(&grey), None);
    for factors in (1..=4).flat_map(|horizontal| (1..=4).map(move |vertical| horizontal << 4 | vertical)) {
        let other = with_segment(&grey, SOF_BASELINE, |contents| contents[7] = factors);
        let header = check(&other, LIMITS).unwrap();
        assert_eq!(header.rewritten(&other).unwrap_or(other), grey, "{factors:x}");
    }
}

/// The rules of libjpeg: JFIF is YCbCr, an Adobe segment says it, and otherwise the components' names do.
#[test]
fn subsampled_rgb_is_refused_by_name() {
    let jfif = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let adobe = |transform: u8| segment(0xEE, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat());
    let picture = |luma: u8, names: [u8; 3], metadata: &[Vec<u8>]| {
        let header = [&[8, 0, 8, 0, 8, 3, names[0], luma, 0, names[1], 0x11, 0, names[2], 0x11, 0][..]];
        let scan = [&[3, names[0], 0, names[1], 0, names[2], 0, 0, 63, 0][..]];
        let data = vec![0x12, 0x34];
        let parts = [segment(SOF_BASELINE, &header.concat()), segment(SOS, &scan.concat()), data];
        [&[0xFF, SOI][..], &quantisation(), &metadata.concat(), &parts.concat(), &adobe(0), &[0xFF, EOI]]
            .concat()
    };
    for (names, metadata, is_rgb) in [
        (*b"RGB", vec![], true),
        (*b"RGB", vec![jfif.clone()], false),
        (*b"RGB", vec![adobe(1)], false),
        (*b"RGB", vec![segment(0xE0, b"JFIF\0")], true),
        (*b"RGB", vec![segment(0xEE, b"Adobe\0\x64\0\0\0\0")], true),
        ([1, 2, 3], vec![adobe(0)], true),
        ([1, 2, 3], vec![adobe(0), adobe(1)], false),
        ([1, 2, 3], vec![adobe(2)], false),
        ([1, 2, 3], vec![adobe(0), jfif], false),
        ([1, 2, 3], vec![], false),
    ] {
        assert!(check(&picture(0x11, names, &metadata), LIMITS).is_ok());
        let subsampled = check(&picture(0x22, names, &metadata), LIMITS);
        if is_rgb {
            let error = subsampled.unwrap_err();
            let name = "RGB JPEG with the sampling factors 2x2,1x1,1x1";
            assert!(error.to_string().starts_with(name), "{error}");
        } else {
            assert!(subsampled.is_ok(), "{names:?} {metadata:?}");
        }
    }
}

/// Exif metadata of one field or more, in either byte order.
fn exif(is_little: bool, fields: &[(u16, u16, u32, u16)]) -> Vec<u8> {
    let short = |value: u16| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut bytes = b"Exif\0\0".to_vec();
    bytes.extend(if is_little { b"II*\0" } else { b"MM\0*" });
    bytes.extend(long(8));
    bytes.extend(short(fields.len() as u16));
    for (tag, kind, count, value) in fields {
        bytes.extend([short(*tag), short(*kind)].concat());
        bytes.extend(long(*count));
        bytes.extend([short(*value), [0, 0]].concat());
    }
    bytes.extend(long(0));
    bytes
}

/// The orientation of a picture with these segments behind its first marker.
fn orientation_with(segments: &[Vec<u8>]) -> VideoOrientationMethod {
    let bytes = plain();
    let bytes = [&bytes[..2], &segments.concat(), &bytes[2..]].concat();
    check(&bytes, LIMITS).unwrap().orientation
}

#[test]
fn the_orientation_is_that_of_the_exif_metadata() {
    use VideoOrientationMethod::*;
    for (value, orientation) in [
        (1, Identity),
        (2, Horiz),
        (3, _180),
        (4, Vert),
        (5, UlLr),
        (6, _90r),
        (7, UrLl),
        (8, _90l),
        (0, Identity),
        (9, Identity),
        (256, Identity),
    ] {
        for is_little in [false, true] {
            let maker = (0x010F, 2, 5, 38);
            let metadata = exif(is_little, &[maker, (0x0112, 3, 1, value), (0x0112, 3, 1, 4)]);
            let before = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>");
            let after = segment(0xE1, &exif(true, &[(0x0112, 3, 1, 1)]));
            assert_eq!(orientation_with(&[before, segment(0xE1, &metadata), after]), orientation);
        }
    }
}

#[test]
fn broken_exif_metadata_are_passed_over() {
    let whole = exif(true, &[(0x0112, 3, 1, 6)]);
    for metadata in [
        exif(true, &[(0x0112, 4, 1, 6)]),
        exif(true, &[(0x0112, 3, 2, 6)]),
        exif(true, &[(0x0113, 3, 1, 6)]),
        exif(true, &[]),
        [&whole[..6], b"II*\0\xFF\xFF\xFF\xFF", &whole[14..]].concat(),
        [&whole[..14], b"\xFF\xFF", &whole[16..17]].concat(),
        [b"exif\0\0", &whole[6..]].concat(),
    ] {
        assert_eq!(orientation_with(&[segment(0xE1, &metadata)]), VideoOrientationMethod::Identity);
    }
    for length in 0..whole.len() {
        // The offset of the next directory may be missing.
        let is_whole = length >= 6 + 8 + 2 + 12;
        let expected = if is_whole { VideoOrientationMethod::_90r } else { VideoOrientationMethod::Identity };
        assert_eq!(orientation_with(&[segment(0xE1, &whole[..length])]), expected, "cut at {length}");
    }
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
    /// Read by another library as well.
    #[test]
    fn exif_metadata_are_read_as_others_read_them(
        is_little in any::<bool>(),
        fields in prop::collection::vec(
            (prop::sample::select(vec![0x010F, 0x0112]), 2_u16..5, 0_u32..3, 0_u16..10), 0..4,
        ),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut metadata = exif(is_little, &fields).split_off(6);
        if let Some((place, value)) = change {
            let place = place.index(metadata.len());
            metadata[place] = value;
        }
        metadata.truncate(cut.index(metadata.len() + 1).max(metadata.len() / 2));
        let expected = image::metadata::Orientation::from_exif_chunk(&metadata).map(|orientation| {
            use image::metadata::Orientation::*;
            match orientation {
                NoTransforms => VideoOrientationMethod::Identity,
                FlipHorizontal => VideoOrientationMethod::Horiz,
                Rotate180 => VideoOrientationMethod::_180,
                FlipVertical => VideoOrientationMethod::Vert,
                Rotate90FlipH => VideoOrientationMethod::UlLr,
                Rotate90 => VideoOrientationMethod::_90r,
                Rotate270FlipH => VideoOrientationMethod::UrLl,
                Rotate270 => VideoOrientationMethod::_90l,
            }
        });
        prop_assert_eq!(exif::orientation(&metadata), expected);
    }

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
            if let Some(rewritten) = header.rewritten(&bytes) {
                prop_assert_eq!(check(&rewritten, LIMITS).unwrap().rewritten(&rewritten), None);
            }
        }
    }
}
