//! Fused multiplications a second by class of layer, beside the processor's peak, on one core:
//!
//! ```sh
//! cargo bench --package dactyl-kernels
//! ```
//!
//! `Gitem/s` are thousands of millions of multiplications a second (of layers that are no convolutions, of values), the
//! fastest run being the one that nothing disturbed. The networks are those that set-up fetches.

#![allow(clippy::expect_used, reason = "without networks there is nothing to measure")]

use std::fmt;
use std::path::Path;

use dactyl_kernels::measure::{Class, Layers, PEAK_MULTIPLICATIONS, multiply};
use dactyl_kernels::{Instructions, Network};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Kinds of vectors that the processor has.
fn vectors() -> Vec<Instructions> {
    Instructions::all().into_iter().filter(|instructions| *instructions != Instructions::Scalar).collect()
}

#[divan::bench(args = vectors())]
fn peak(bencher: Bencher<'_, '_>, instructions: &Instructions) {
    bencher
        .counter(ItemsCount::new(PEAK_MULTIPLICATIONS))
        .bench(|| multiply(*instructions).expect("instructions that are there"));
}

/// Layers of a class of a network.
struct Case {
    network: &'static str,
    instructions: Instructions,
    class: Class,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {:?}", self.network, self.class, self.instructions)
    }
}

fn layers_of(network: &str, instructions: Instructions) -> Layers {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/tflite");
    let tflite =
        std::fs::read(folder.join(format!("{network}.tflite"))).expect("the networks: run make test");
    // As the tracker leaves it out: the segmentation mask.
    let pruned_outputs: &[usize] = if network == "pose_landmark" { &[2] } else { &[] };
    let network = Network::new_on(instructions, &tflite, pruned_outputs).expect("a network");
    Layers::new(network).expect("a run")
}

fn cases() -> Vec<Case> {
    let networks = [
        "pose_landmark",
        "palm_detection",
        "hand_landmark",
        "hand_recrop",
        "face_detection",
        "face_landmark",
    ];
    let mut cases = Vec::new();
    for network in networks {
        for class in layers_of(network, vectors()[0]).classes().into_keys() {
            cases.extend(vectors().into_iter().map(|instructions| Case { network, instructions, class }));
        }
    }
    cases
}

#[divan::bench(args = cases())]
fn layers(bencher: Bencher<'_, '_>, case: &Case) {
    let mut layers = layers_of(case.network, case.instructions);
    let multiplications = layers.classes().get(&case.class).copied().unwrap_or_default();
    bencher.counter(ItemsCount::new(multiplications)).bench_local(|| layers.run(case.class));
}
