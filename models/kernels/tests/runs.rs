//! A network under load and under cancellation: the real pose network.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::Instant;

use dactyl_kernels::{Cancel, Network, RunError};

fn pose() -> &'static Network {
    static POSE: OnceLock<Network> = OnceLock::new();
    POSE.get_or_init(|| {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
        let file = std::fs::read(models.join("tflite/pose_landmark.tflite"));
        Network::new(&file.expect("set-up fetches the networks: run make test"), &[2]).expect("a network")
    })
}

struct Tensors {
    input: Vec<f32>,
    outputs: Vec<Vec<f32>>,
}

impl Tensors {
    /// A picture that differs for every seed.
    fn new(seed: usize) -> Self {
        let values = pose().inputs()[0].values();
        let input = (0..values).map(|index| ((index * 31 + seed * 977) % 255) as f32 / 255.0).collect();
        let outputs = pose().outputs().iter().map(|output| vec![0.0; output.values()]).collect();
        Self { input, outputs }
    }

    fn run(&mut self, cancel: &Cancel) -> Result<(), RunError> {
        let mut outputs: Vec<_> = self.outputs.iter_mut().map(Vec::as_mut_slice).collect();
        pose().run(&[&self.input], &mut outputs, cancel)
    }
}

#[test]
fn runs_at_the_same_time_give_what_each_gives_alone() {
    let alone: Vec<_> = (0..4)
        .map(|seed| {
            let mut tensors = Tensors::new(seed);
            tensors.run(&Cancel::new()).expect("runs");
            tensors.outputs
        })
        .collect();
    assert_ne!(alone[0], alone[1]);
    thread::scope(|scope| {
        for (seed, expected) in alone.iter().enumerate() {
            scope.spawn(move || {
                let mut tensors = Tensors::new(seed);
                let cancel = Cancel::new();
                for _ in 0..10 {
                    tensors.run(&cancel).expect("runs");
                    assert_eq!(&tensors.outputs, expected);
                }
            });
        }
    });
}

#[test]
fn a_run_in_flight_is_ended_from_another_thread_and_the_next_is_whole() {
    let mut tensors = Tensors::new(1);
    let cancel = Cancel::new();
    tensors.run(&cancel).expect("runs");
    let expected = tensors.outputs.clone();
    let started = Instant::now();
    tensors.run(&cancel).expect("runs");
    let whole = started.elapsed();

    let mut ended = 0;
    for round in 0..40 {
        let canceller = cancel.clone();
        let other = thread::spawn(move || {
            thread::sleep(whole.mul_f64(f64::from(round % 8) / 10.0));
            canceller.cancel();
        });
        match tensors.run(&cancel) {
            Ok(()) => {}
            Err(RunError::Cancelled(_)) => ended += 1,
            Err(other) => panic!("{other}"),
        }
        other.join().expect("no panic");
        assert!(matches!(tensors.run(&cancel), Err(RunError::Cancelled(_))), "cancelled until rearmed");
        cancel.rearm();
    }
    assert!(ended > 10, "only {ended} of 40 runs were ended");
    tensors.run(&cancel).expect("runs");
    assert_eq!(tensors.outputs, expected);
}

#[test]
fn one_stream_s_cancellation_does_not_end_another_s_run() {
    let cancelled = Cancel::new();
    cancelled.cancel();
    assert!(Tensors::new(1).run(&cancelled).is_err());
    Tensors::new(1).run(&Cancel::new()).expect("runs");
}

#[test]
fn a_tensor_of_the_wrong_size_is_an_error_that_names_it() {
    let mut tensors = Tensors::new(1);
    tensors.input.pop();
    let error = tensors.run(&Cancel::new()).expect_err("too short");
    assert!(error.to_string().contains("196608 values, 196607 were given"), "{error}");
    let error = pose().run(&[], &mut [], &Cancel::new()).expect_err("nothing");
    assert_eq!(error, RunError::Count { expected: 5, found: 0 });
}
