//! The imported networks and our own kernels against what the TFLite runtime computes, and the importer against damaged files.

#![allow(clippy::panic, clippy::unwrap_used, reason = "functions that only tests call")]

use std::fs;
use std::path::{Path, PathBuf};

use dactyl_models::fetch::{self, FileState};
use dactyl_models::import::{self, Options, Problem, Table};
use dactyl_models::runtime::{self, Cancel, Network};
use proptest::prelude::*;
use serde::Deserialize;

/// Written by `scripts/record_import_reference.py`.
const REFERENCE: &str = include_str!("import_reference.json");
/// By which the hand network is quantised.
const TABLE: &str = include_str!("../weights/int8/hand_landmark.json");

/// Largest difference that is allowed to an element: a share of the greatest magnitude recorded of that output...
const RELATIVE: f32 = 1e-5;
/// ...and so many times the largest difference between TFLite's own two kernel libraries...
const SPREADS: f32 = 3.0;
/// ...and this much, for probabilities next to zero.
const ABSOLUTE: f32 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    name: String,
    range: [f32; 2],
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    shape: Vec<i64>,
    sum: f64,
    magnitude: f64,
    spread: f32,
    samples: Vec<(usize, f32)>,
}

#[test]
fn imported_networks_agree_with_the_tflite_runtime() {
    runtime::init(&models().join(runtime::LIBRARY_NAME)).unwrap();
    let load = |reference: &Reference, pruned: &[usize]| {
        let model = convert(&tflite(&reference.name), pruned.to_vec()).unwrap();
        Network::from_bytes(&reference.name, &model).unwrap()
    };
    compare(load, Output::check);
}

/// What they compute in the order of the TFLite runtime's own kernels (XNNPACK) they compute to the last bit.
#[test]
fn our_kernels_agree_with_the_tflite_runtime() {
    let load = |reference: &Reference, pruned: &[usize]| {
        let file = models().join(format!("tflite/{}.tflite", reference.name));
        Network::from_tflite(&file, pruned).unwrap()
    };
    compare(load, |output, result, name| {
        for &(place, value) in &output.samples {
            let found = result[place];
            // Of probabilities the logistic function is another one; the record has eight digits of all others.
            let allowed = if output.shape == [1, 1] { ABSOLUTE } else { f32::EPSILON * value.abs() };
            assert!((found - value).abs() <= allowed, "{name}[{place}] is {found} instead of {value}");
        }
        output.check(result, name);
    });
}

/// Runs each network on its picture.
fn compare(load: impl Fn(&Reference, &[usize]) -> Network, check: impl Fn(&Output, &[f32], &str)) {
    let references: Vec<Reference> = serde_json::from_str(REFERENCE).unwrap();
    assert_eq!(references.len(), 6);
    for reference in references {
        let pruned: &[usize] = if reference.name == "pose_landmark" { &[2] } else { &[] };
        let network = load(&reference, pruned);
        let [_, height, width, 3] = *network.inputs()[0].shape else {
            panic!("{:?}", network.inputs());
        };
        let input = picture(height as usize, width as usize, reference.range);
        let results = run(&network, &input);
        assert_eq!(results.len(), reference.outputs.len(), "{}", reference.name);
        for ((result, info), expected) in results.iter().zip(network.outputs()).zip(&reference.outputs) {
            let name = format!("{} {}", reference.name, expected.name);
            assert_eq!(info.name, expected.name, "{name}");
            assert_eq!(info.shape, expected.shape, "{name}");
            check(expected, result, &name);
        }
    }
}

/// The picture shows no hand, so the landmarks differ more than on one. The limits: pixels of the picture, probabilities of
/// a hand and of its side, metres.
#[test]
#[allow(clippy::print_stdout, reason = "a skip belongs into the test's output")]
fn quantised_hand_network_stays_near_the_float_one() {
    if !runtime::has_vnni() {
        println!("skipped: Dactyl runs the float network on a processor without VNNI");
        return;
    }
    runtime::init(&models().join(runtime::LIBRARY_NAME)).unwrap();
    let [float, int8] = ["hand_landmark.onnx", "hand_landmark.int8.onnx"]
        .map(|file| Network::from_file(&models().join(file)).unwrap());
    assert_eq!((int8.inputs(), int8.outputs()), (float.inputs(), float.outputs()));
    let input = picture(224, 224, [0.0, 1.0]);
    let (float, int8) = (run(&float, &input), run(&int8, &input));
    for ((float, int8), limit) in float.iter().zip(&int8).zip([10.0, 1e-3, 0.15, 0.02]) {
        let greatest = float.iter().zip(int8).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(greatest <= limit, "{greatest} instead of at most {limit}");
        assert!(greatest > 0.0, "the network was not quantised");
    }
}

fn run(network: &Network, input: &[f32]) -> Vec<Vec<f32>> {
    let mut results: Vec<Vec<f32>> =
        network.outputs().iter().map(|output| vec![0.0; output.values()]).collect();
    let mut slices: Vec<&mut [f32]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    let ran = network.run(&[input], &mut slices, &Cancel::new());
    assert!(ran.is_ok(), "{ran:?}");
    results
}

impl Output {
    fn check(&self, result: &[f32], name: &str) {
        let greatest = self.samples.iter().fold(0f32, |greatest, (_, value)| greatest.max(value.abs()));
        let allowed = RELATIVE * greatest + SPREADS * self.spread + ABSOLUTE;
        for &(place, value) in &self.samples {
            let found = result[place];
            assert!(
                (found - value).abs() <= allowed,
                "{name}[{place}] is {found} instead of {value}, more than {allowed} away"
            );
        }
        // Every element counts here, so that no corner of a large output escapes.
        let sum: f64 = result.iter().map(|&value| f64::from(value)).sum();
        let magnitude: f64 = result.iter().map(|&value| f64::from(value.abs())).sum();
        let allowed = f64::from(allowed) * result.len() as f64 * 0.1 + f64::from(allowed);
        for (what, found, expected) in
            [("sum", sum, self.sum), ("sum of magnitudes", magnitude, self.magnitude)]
        {
            assert!(
                (found - expected).abs() <= allowed,
                "{name}: the {what} is {found} instead of {expected}, more than {allowed} away"
            );
        }
    }
}

/// Triangle waves and noise, 8 bit, as in `scripts/record_import_reference.py`.
fn picture(height: usize, width: usize, [low, high]: [f32; 2]) -> Vec<f32> {
    let triangle = |place: usize| (place % 256).abs_diff(128);
    let mut values = Vec::with_capacity(height * width * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let wave = triangle(3 * x + 40 * c) + triangle(2 * y + 90 * c);
                let place = ((y * width + x) * 3 + c) as u32;
                let noise = place.wrapping_mul(2_654_435_761) >> 27;
                let level = (wave * 7 / 8) as f32 + noise as f32;
                values.push(level / 255.0 * (high - low) + low);
            }
        }
    }
    values
}

#[test]
fn fetched_networks_are_those_of_this_importer() {
    for status in fetch::list(&models()).unwrap() {
        assert_eq!(status.state, FileState::Ready, "{}: run make test", status.file);
        if let Some(file) = status.file.strip_suffix(".onnx") {
            let name = file.trim_end_matches(".int8");
            let pruned = if name == "pose_landmark" { vec![2] } else { Vec::new() };
            let options = Options { name: format!("tflite/{name}.tflite"), pruned_outputs: pruned };
            let mut made = import::convert(&tflite(name), &options).unwrap();
            if file != name {
                made = import::quantize(&made, &Table::parse(TABLE).unwrap(), file).unwrap();
            }
            assert!(
                made == fs::read(models().join(&status.file)).unwrap(),
                "{}: the importer makes another file than when it was fetched; raise import::VERSION",
                status.file
            );
        }
    }
}

#[test]
fn import_is_repeatable() {
    let file = tflite("hand_recrop");
    assert_eq!(convert(&file, Vec::new()), convert(&file, Vec::new()));
}

#[test]
fn unknown_operator_is_named_with_its_file() {
    let mut file = tflite("hand_recrop");
    // The byte in the table of operator codes that says PRELU.
    assert_eq!(std::mem::replace(&mut file[123_777], 26), 54);
    let error = convert(&file, Vec::new()).unwrap_err();
    assert!(
        matches!(&error.problem, Problem::UnknownOperator { operator, .. } if operator == "SPACE_TO_DEPTH"),
        "{error}"
    );
    assert!(error.to_string().contains("test network"), "{error}");
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b""[..], b"TFL3", b"\x08\0\0\0TFL3", &[0xff; 64]] {
        let error = convert(bytes, Vec::new()).unwrap_err();
        assert!(matches!(error.problem, Problem::Damaged(_)), "{error}");
    }
}

#[test]
fn output_that_is_not_there_cannot_be_pruned() {
    let file = tflite("hand_recrop");
    for pruned in [vec![1], vec![0]] {
        let error = convert(&file, pruned).unwrap_err();
        assert!(matches!(error.problem, Problem::Prune { .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn truncated_file_is_an_error(share in 0.0..1.0f64) {
        let file = tflite("hand_recrop");
        let length = (file.len() as f64 * share) as usize;
        prop_assert!(convert(&file[..length], Vec::new()).is_err());
    }

    /// The tables stand at the end of the file, so that is where most bytes are changed.
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((0.0..1.0f64, any::<u8>()), 1..8),
        tables_only in any::<bool>(),
        which in prop::sample::select(vec!["hand_recrop", "face_detection"]),
    ) {
        let mut file = tflite(which);
        let start = if tables_only { file.len() * 9 / 10 } else { 0 };
        for (share, byte) in changes {
            let place = start + ((file.len() - start) as f64 * share) as usize;
            file[place] = byte;
        }
        // Weights may change unnoticed; what matters is that it ends, with a model or with an error.
        let _ = convert(&file, Vec::new());
    }
}

fn convert(bytes: &[u8], pruned_outputs: Vec<usize>) -> Result<Vec<u8>, import::ImportError> {
    import::convert(bytes, &Options { name: "test network".to_owned(), pruned_outputs })
}

fn tflite(name: &str) -> Vec<u8> {
    let path = models().join("tflite").join(name).with_extension("tflite");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run make test", path.display()))
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/models")
}
