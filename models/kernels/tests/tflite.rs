//! Our kernels against what the TFLite runtime computes.

#![allow(clippy::panic, clippy::unwrap_used, reason = "functions that only tests call")]

use std::path::Path;

use dactyl_kernels::{Cancel, Network};
use serde::Deserialize;

/// Written by `scripts/record_tflite_reference.py`.
const REFERENCE: &str = include_str!("tflite_reference.json");

/// Largest difference that is allowed to a probability, whose logistic function is another one.
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
    shape: Vec<usize>,
    sum: f64,
    magnitude: f64,
    samples: Vec<(usize, f32)>,
}

/// What they compute in the order of the TFLite runtime's own kernels (XNNPACK) they compute to the last bit.
#[test]
fn our_kernels_agree_with_the_tflite_runtime() {
    let references: Vec<Reference> = serde_json::from_str(REFERENCE).unwrap();
    assert_eq!(references.len(), 7);
    for reference in references {
        let pruned: &[usize] = if reference.name == "pose_landmark" { &[2] } else { &[] };
        let network = Network::new(&tflite(&reference.name), pruned).unwrap();
        let [_, height, width, 3] = *network.inputs()[0].shape else {
            panic!("{:?}", network.inputs());
        };
        let input = picture(height, width, reference.range);
        let results = run(&network, &input);
        assert_eq!(results.len(), reference.outputs.len(), "{}", reference.name);
        for ((result, info), expected) in results.iter().zip(network.outputs()).zip(&reference.outputs) {
            let name = format!("{} {}", reference.name, expected.name);
            assert_eq!(info.name, expected.name, "{name}");
            assert_eq!(info.shape, expected.shape, "{name}");
            expected.check(result, &name);
        }
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
        let is_probability = self.shape == [1, 1];
        for &(place, value) in &self.samples {
            let found = result[place];
            // The record has eight digits.
            let allowed = if is_probability { ABSOLUTE } else { f32::EPSILON * value.abs() };
            assert!((found - value).abs() <= allowed, "{name}[{place}] is {found} instead of {value}");
        }
        // Every element counts here, so that no corner of a large output escapes; both sums are made in the same order.
        let sum: f64 = result.iter().map(|&value| f64::from(value)).sum();
        let magnitude: f64 = result.iter().map(|&value| f64::from(value.abs())).sum();
        let allowed =
            if is_probability { f64::from(ABSOLUTE) } else { self.magnitude * f64::from(f32::EPSILON) };
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

/// Triangle waves and noise, 8 bit, as in `scripts/record_tflite_reference.py`.
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

fn tflite(name: &str) -> Vec<u8> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/tflite");
    let path = models.join(name).with_extension("tflite");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run make test", path.display()))
}
