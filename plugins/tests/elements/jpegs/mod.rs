//! What the check lets through, GStreamer's decoder decodes as libjpeg does.

mod writer;

use std::cell::RefCell;

use dactyl_tests::jpeg::without_huffman_tables;
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoFormat;
use gst_video::prelude::*;
use gstdactyl::jpeg::{self, JpegError, Limits, Sampling};
use jpeg_encoder::{ColorType, Encoder};
use mozjpeg::{ColorSpace, CompInfoExt, Decompress};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::stream::init;
use writer::{Picture, segment};

const LIMITS: Limits = Limits { max_pixels: 1 << 20, max_scans: 64 };
/// JPEGs of the property test.
const CASES: u32 = 20_000;

/// Rows of samples.
#[derive(Debug)]
struct Plane {
    width: usize,
    samples: Vec<u8>,
}

impl Plane {
    /// The first `rows` rows of `width` values, each row `stride` after the one before.
    fn of(samples: &[u8], stride: usize, width: usize, rows: usize) -> Self {
        let rows = samples.chunks(stride).take(rows).map(|row| &row[..width]);
        Self { width, samples: rows.collect::<Vec<_>>().concat() }
    }

    /// Largest difference of two samples in the same place.
    fn difference(&self, other: &Self) -> u8 {
        assert_eq!((self.width, self.samples.len()), (other.width, other.samples.len()));
        let pairs = self.samples.iter().zip(&other.samples);
        pairs.map(|(one, other)| one.abs_diff(*other)).max().unwrap()
    }
}

/// The decoder of the pipelines that ship, one for all pictures, as in a session.
struct Decoder(Harness);

impl Decoder {
    /// Memory that is not written holds no zeros from now on.
    fn new() -> Self {
        init();
        // SAFETY: it sets a number in the C library's allocator.
        let poisons = unsafe { libc::mallopt(libc::M_PERTURB, 0xA5) };
        assert_eq!(poisons, 1);
        let mut harness = Harness::new_parse("jpegdec idct-method=islow");
        harness.set_src_caps_str("image/jpeg");
        Self(harness)
    }

    /// Planes of the picture, as they are given out: I420, grey or RGB. `None` if none is, or the decoder gives up.
    fn decode(&mut self, bytes: Vec<u8>) -> Option<Vec<Plane>> {
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        self.0.push(buffer).ok()?;
        let buffer = self.0.try_pull()?;
        let caps = self.0.sinkpad().unwrap().current_caps().unwrap();
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info).unwrap();
        let [width, height] = [info.width() as usize, info.height() as usize];
        let plane = |index: u32, width, rows| {
            let stride = usize::try_from(frame.plane_stride()[index as usize]).unwrap();
            Plane::of(frame.plane_data(index).unwrap(), stride, width, rows)
        };
        Some(match info.format() {
            VideoFormat::Gray8 => vec![plane(0, width, height)],
            VideoFormat::Rgb => vec![plane(0, 3 * width, height)],
            format => {
                assert_eq!(format, VideoFormat::I420);
                let [columns, rows] = [width.div_ceil(2), height.div_ceil(2)];
                vec![plane(0, width, height), plane(1, columns, rows), plane(2, columns, rows)]
            }
        })
    }
}

/// Planes as libjpeg decodes them, in the form in which [`Decoder`] gives them. Of colours that are not halved already it
/// takes one in two: the left one of two columns, the lower one of two rows.
fn expected(bytes: &[u8]) -> Vec<Plane> {
    let mut picture = Decompress::new_mem(bytes).unwrap();
    picture.do_block_smoothing(false);
    let [width, height] = [picture.width(), picture.height()];
    let space = picture.color_space();
    if space != ColorSpace::JCS_YCbCr {
        let mut picture = picture.to_colorspace(space).unwrap();
        let samples: Vec<u8> = picture.read_scanlines().unwrap();
        let row = samples.len() / height;
        return vec![Plane { width: row, samples }];
    }
    let mut picture = picture.raw().unwrap();
    let mut planes = [Vec::new(), Vec::new(), Vec::new()];
    let [luma, blue, red] = &mut planes;
    picture.read_raw_data(&mut [luma, blue, red]);
    let largest =
        |factor: fn(&mozjpeg::CompInfo) -> i32| picture.components().iter().map(factor).max().unwrap();
    let [horizontal, vertical] = [largest(|info| info.h_samp_factor), largest(|info| info.v_samp_factor)];
    let halved = |samples: &[u8], info: &mozjpeg::CompInfo| {
        let step = |factor: i32, largest: i32| usize::try_from(2 * factor / largest).unwrap();
        let [x, y] = [step(info.h_samp_factor, horizontal), step(info.v_samp_factor, vertical)];
        let rows = samples.chunks(info.row_stride()).skip(y - 1).step_by(y).take(height.div_ceil(2));
        let samples: Vec<u8> =
            rows.flat_map(|row| row.iter().step_by(x).take(width.div_ceil(2))).copied().collect();
        Plane { width: width.div_ceil(2), samples }
    };
    let infos = picture.components();
    let luma = Plane::of(&planes[0], infos[0].row_stride(), width, height);
    vec![luma, halved(&planes[1], &infos[1]), halved(&planes[2], &infos[2])]
}

/// A picture without Huffman tables means those of the standard, whatever the picture before it held.
#[test]
fn motion_jpeg_is_not_decoded_with_the_tables_of_the_picture_before() {
    let pixels: Vec<u8> = (0..48 * 40 * 3).map(|index: usize| (index * index / 7 % 251) as u8).collect();
    let encoded = |is_optimized| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 80);
        encoder.set_optimized_huffman_tables(is_optimized);
        encoder.encode(&pixels, 48, 40, ColorType::Rgb).unwrap();
        bytes
    };
    let (whole, other) = (encoded(false), encoded(true));
    let motion = without_huffman_tables(&whole);
    let mut decoder = Decoder::new();
    for bytes in [&motion, &other, &motion] {
        let planes = decoder.decode(accepted(bytes).unwrap()).expect("a picture");
        let expected = expected(if bytes == &motion { &whole } else { bytes });
        for (plane, expected) in planes.iter().zip(&expected) {
            assert!(plane.difference(expected) <= 1);
        }
    }
}

/// What is sent to a decoder of a picture that is accepted.
fn accepted(bytes: &[u8]) -> Result<Vec<u8>, JpegError> {
    let header = jpeg::check(bytes, LIMITS)?;
    Ok(header.rewritten(bytes).unwrap_or_else(|| bytes[..header.length].to_vec()))
}

fn metadata() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        Just((0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec())),
        (0_u8..3).prop_map(|transform| (0xEE, [&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat())),
        Just((0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| (0xFE, bytes)),
    ];
    prop::collection::vec(one, 0..3).prop_map(|all| {
        let mut bytes = Vec::new();
        for (marker, contents) in all {
            segment(&mut bytes, marker, &contents);
        }
        bytes
    })
}

fn pictures() -> impl Strategy<Value = Picture> {
    let factors = || (1..=4_u8, 1..=4_u8).prop_map(|(horizontal, vertical)| [horizontal, vertical]);
    let usual =
        (1..=2_u8, 1..=2_u8).prop_map(|(horizontal, vertical)| [[horizontal, vertical], [1, 1], [1, 1]]);
    let all = prop_oneof![
        usual,
        (factors(), factors()).prop_map(|(luma, chroma)| [luma, chroma, chroma]),
        [factors(), factors(), factors()],
        Just([[2, 2], [1, 2], [1, 2]]),
    ];
    let names = prop_oneof![4 => Just([1, 2, 3]), 1 => Just(*b"RGB"), 1 => Just([0, 7, 255])];
    let components = prop_oneof![
        1 => factors().prop_map(|factors| vec![(1, factors)]),
        4 => (names, all).prop_map(|(names, factors)| names.into_iter().zip(factors).collect()),
    ];
    let width = prop_oneof![1..50_u16, Just(16), Just(32), Just(48)];
    (components, width, 1..50_u16, any::<[bool; 2]>(), 0..4_u16, metadata(), any::<u64>()).prop_map(
        |(components, width, height, [progressive, is_apart], restart_interval, metadata, seed)| {
            let blocks: u8 = components
                .iter()
                .map(|(_, [horizontal, vertical]): &(u8, [u8; 2])| horizontal * vertical)
                .sum();
            Picture {
                width,
                height,
                // More blocks than ten do not make a unit (T.81, B.2.3).
                is_apart: is_apart || blocks > 10,
                components,
                progressive,
                restart_interval,
                metadata,
                seed,
            }
        },
    )
}

#[test]
fn every_sampling_is_decoded_as_libjpeg_does_or_refused_by_name() {
    // The decoder, and how many were decoded and refused.
    let state = RefCell::new((Decoder::new(), 0, 0));
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, rng)
        .run(&pictures(), |picture| {
            let (decoder, decoded, refused) = &mut *state.borrow_mut();
            let bytes = picture.write();
            match accepted(&bytes) {
                Ok(accepted) => {
                    let planes = decoder.decode(accepted);
                    let planes = planes.ok_or_else(|| TestCaseError::fail("no picture"))?;
                    let expected = expected(&bytes);
                    prop_assert_eq!(planes.len(), expected.len());
                    for (index, (plane, expected)) in planes.iter().zip(&expected).enumerate() {
                        let difference = plane.difference(expected);
                        prop_assert!(difference <= 1, "plane {} is off by {}", index, difference);
                    }
                    *decoded += 1;
                }
                Err(error @ JpegError::UnsupportedSampling { .. }) => {
                    let factors: Vec<[u8; 2]> =
                        picture.components.iter().map(|(_, factors)| *factors).collect();
                    let sampling = Sampling(factors.try_into().unwrap()).to_string();
                    prop_assert!(error.to_string().contains(&sampling), "{}", error);
                    *refused += 1;
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
            Ok(())
        })
        .unwrap();
    let (_, decoded, refused) = state.into_inner();
    println!("{decoded} decoded, {refused} refused");
    assert_eq!(decoded + refused, CASES);
    assert!(decoded > CASES / 3 && refused > CASES / 3);
}
