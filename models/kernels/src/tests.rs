use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;

use crate::cancel::{Cancel, Cancelled};
use crate::dense::{self, Dense};
use crate::depthwise::{self, Depthwise};
use crate::epilogue::{Activation, Epilogue};
use crate::feature_map::FeatureMap;
use crate::memory::VALUES;
use crate::network::{Network, RunError, lanes};
use crate::problem::Problem;
use crate::processor::{Arch, Instructions};
use crate::tflite::{Padding, PaddingScheme, window};

/// Every kind of vectors that the processor has, and no vectors at all.
fn archs() -> impl Iterator<Item = Arch> {
    Instructions::all().into_iter().filter_map(|instructions| instructions.arch().ok())
}

/// Numbers whose sums depend on the order of the additions.
fn numbers(seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// A convolution of any kind.
#[derive(Debug, Clone)]
struct Case {
    seed: u32,
    size: [usize; 2],
    channels: usize,
    filters: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
}

impl Case {
    fn input(&self) -> Vec<f32> {
        numbers(self.seed).take(self.size[0] * self.size[1] * self.channels).collect()
    }

    /// Rows or columns of the result, and those of the padding before and after.
    fn along(&self, axis: usize) -> (usize, usize, usize) {
        window(self.size[axis], self.kernel[axis], self.stride[axis], 1, PaddingScheme::Same)
            .expect("a window fits")
    }

    /// The input's pixel that a tap of a window reads; `None` in the padding.
    fn tap(&self, at: [usize; 2], tap: [usize; 2]) -> Option<usize> {
        let place = |axis: usize| {
            let (_, before, _) = self.along(axis);
            (at[axis] * self.stride[axis] + tap[axis])
                .checked_sub(before)
                .filter(|place| *place < self.size[axis])
        };
        Some(place(0)? * self.size[1] + place(1)?)
    }

    /// The input as a feature map with the padding that the windows read, and the empty result.
    fn maps(&self, lanes: usize) -> ((FeatureMap, Vec<f32>), (FeatureMap, Vec<f32>)) {
        let ([(rows, top, bottom), (columns, left, right)], [height, width]) =
            ([self.along(0), self.along(1)], self.size);
        let map = |[height, width]: [usize; 2], channels: usize, padding| FeatureMap {
            height,
            width,
            channels,
            block: lanes,
            padding,
            kept: None,
            first: 0,
        };
        let input = map([height, width], self.channels, Padding { top, left, bottom, right });
        let mut values = vec![0.0; input.len()];
        for (pixel, channels) in self.input().chunks_exact(self.channels).enumerate() {
            for (channel, value) in channels.iter().enumerate() {
                values[input.channel_at(pixel / width, pixel % width, channel)] = *value;
            }
        }
        let output = map([rows, columns], self.filters, Padding::default());
        let empty = vec![f32::NAN; output.len()];
        ((input, values), (output, empty))
    }

    fn padding(&self) -> [usize; 2] {
        [self.along(0).1, self.along(1).1]
    }
}

/// The result's channels without those that fill the last vector, which must be zero.
fn channels(map: &FeatureMap, values: &[f32]) -> Vec<f32> {
    let places = || (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x)));
    let of =
        |y, x, channels: Range<usize>| channels.map(move |channel| values[map.channel_at(y, x, channel)]);
    let spare = map.channels..map.blocks() * map.block;
    assert!(places().flat_map(|(y, x)| of(y, x, spare.clone())).all(|spare| spare == 0.0));
    places().flat_map(|(y, x)| of(y, x, 0..map.channels)).collect()
}

fn case(kernels: &'static [usize]) -> impl Strategy<Value = Case> {
    let kernel = || proptest::sample::select(kernels);
    let stride = || 1..3_usize;
    let shape = ([1..12_usize, 1..20], 1..40_usize, 1..70_usize);
    (any::<u32>(), shape, (kernel(), kernel()), [stride(), stride()]).prop_map(
        |(seed, (size, channels, filters), (rows, columns), stride)| Case {
            seed,
            size,
            channels,
            filters,
            kernel: [rows, columns],
            stride,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bit for bit the sum that begins with the bias and goes through rows, columns and channels.
    #[test]
    fn dense_sums_have_one_order(case in case(&[1, 2, 3])) {
        let [rows, columns] = case.kernel;
        let (filters, depth) = (case.filters, rows * columns * case.channels);
        let weights: Vec<f32> = numbers(case.seed ^ 1).take(filters * depth).collect();
        let bias: Vec<f32> = numbers(case.seed ^ 2).take(filters).collect();
        let input = case.input();
        for arch in archs() {
            let ((map, values), (result, mut sums)) = case.maps(lanes(arch));
            let layer = Dense::new(
                lanes(arch),
                [0, 1],
                &weights,
                [rows, columns, case.channels],
                map.block,
                &bias,
                [case.stride, case.padding()],
                Epilogue::new(Activation::Clamp(-1.0, 2.0)),
            );
            let height = result.height;
            arch.dispatch(dense::Run {
                layer: &layer,
                input: (&map, &values),
                residual: None,
                output: (&result, &mut sums),
                rows: 0..height,
                cancel: &Cancel::new(),
            });
            let mut expected = Vec::new();
            for (y, x) in (0..height).flat_map(|y| (0..result.width).map(move |x| (y, x))) {
                for filter in 0..filters {
                    let mut sum = bias[filter];
                    for tap in 0..rows * columns {
                        let Some(pixel) = case.tap([y, x], [tap / columns, tap % columns]) else { continue };
                        for channel in 0..case.channels {
                            let weight = weights[filter * depth + tap * case.channels + channel];
                            sum = input[pixel * case.channels + channel].mul_add(weight, sum);
                        }
                    }
                    expected.push(sum.clamp(-1.0, 2.0));
                }
            }
            prop_assert_eq!(channels(&result, &sums), expected);
        }
    }

    /// The same through columns and rows.
    #[test]
    fn depthwise_sums_have_one_order(case in case(&[1, 3, 5]), kernel in proptest::sample::select(&[1_usize, 3, 5])) {
        let case = Case { filters: case.channels, kernel: [kernel; 2], ..case };
        let channels_of = case.channels;
        let weights: Vec<f32> = numbers(case.seed ^ 1).take(kernel * kernel * channels_of).collect();
        let slopes: Vec<f32> = numbers(case.seed ^ 3).take(channels_of).collect();
        let bias: Vec<f32> = numbers(case.seed ^ 2).take(channels_of).collect();
        let input = case.input();
        for arch in archs() {
            let ((map, values), (result, mut sums)) = case.maps(lanes(arch));
            let mut padded = slopes.clone();
            padded.resize(map.blocks() * map.block, 0.0);
            let layer = Depthwise::new(
                lanes(arch),
                [0, 1],
                &weights,
                [kernel; 2],
                &bias,
                [case.stride, case.padding()],
                Epilogue::new(Activation::Prelu(padded)),
            );
            let layer = layer.expect("there is a kernel");
            let height = result.height;
            arch.dispatch(depthwise::Run {
                layer: &layer,
                input: (&map, &values),
                output: (&result, &mut sums),
                rows: 0..height,
                cancel: &Cancel::new(),
            });
            let mut expected = Vec::new();
            for (y, x) in (0..height).flat_map(|y| (0..result.width).map(move |x| (y, x))) {
                for channel in 0..channels_of {
                    let mut sum = bias[channel];
                    for (column, row) in (0..kernel).flat_map(|column| (0..kernel).map(move |row| (column, row))) {
                        let Some(pixel) = case.tap([y, x], [row, column]) else { continue };
                        let weight = weights[(row * kernel + column) * channels_of + channel];
                        let value = input[pixel * channels_of + channel];
                        sum = if kernel == 1 { value * weight + sum } else { value.mul_add(weight, sum) };
                    }
                    expected.push(if sum < 0.0 { sum * slopes[channel] } else { sum });
                }
            }
            prop_assert_eq!(channels(&result, &sums), expected);
        }
    }

    #[test]
    fn a_truncated_file_is_refused(share in 0.0..1.0f64) {
        let file = tflite("hand_recrop");
        let length = (file.len() as f64 * share) as usize;
        prop_assert!(Network::new(&file[..length], &[]).is_err());
    }

    /// A damaged file is refused or read as something else; it never stops the process.
    #[test]
    fn damaged_files_do_no_harm(flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..40)) {
        let mut bytes = tflite("hand_recrop");
        for (place, byte) in flips {
            // Most of a file is weights, where a flip does nothing.
            let place = place.index(2 * 20_000);
            let place = if place < 20_000 { place } else { bytes.len() - (place - 20_000) - 1 };
            bytes[place] = byte;
        }
        let _ = Network::new(&bytes, &[]);
    }
}

fn tflite(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/tflite");
    std::fs::read(folder.join(format!("{name}.tflite"))).expect("no models: run make test")
}

/// All outputs of a network for a feature map of noise.
fn run(network: &Network, cancel: &Cancel) -> Result<Vec<Vec<f32>>, RunError> {
    let inputs: Vec<Vec<f32>> =
        network.inputs().iter().map(|tensor| numbers(7).take(tensor.values()).collect()).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<f32>> =
        network.outputs().iter().map(|tensor| vec![f32::NAN; tensor.values()]).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    network.run(&inputs, &mut slices, cancel)?;
    Ok(outputs)
}

#[test]
fn every_kind_of_vector_gives_the_same_bits() {
    for name in ["hand_recrop", "face_detection", "face_landmark"] {
        let outputs = |instructions| {
            let network = Network::new_on(instructions, &tflite(name), &[]).expect("a network");
            run(&network, &Cancel::new()).expect("not cancelled")
        };
        let scalars = outputs(Instructions::Scalar);
        assert!(scalars.iter().flatten().all(|value| value.is_finite()), "{name}");
        for instructions in Instructions::all() {
            assert!(outputs(instructions) == scalars, "{name} with {instructions:?}");
        }
    }
}

#[test]
fn a_cancelled_run_leaves_nothing_behind() {
    let network = Network::new(&tflite("hand_recrop"), &[]).expect("a network");
    let cancel = Cancel::new();
    let first = run(&network, &cancel).expect("not cancelled");
    cancel.cancel();
    assert_eq!(run(&network, &cancel), Err(RunError::Cancelled(Cancelled)));
    cancel.rearm();
    assert_eq!(run(&network, &cancel), Ok(first));
}

/// A layer that is cancelled leaves its feature map as it is: nobody may take that for a result.
#[test]
fn a_run_is_cancelled_or_complete_whenever_the_cancelling_comes() {
    // Its last layer takes a tenth of the time.
    let network = Network::new(&tflite("face_landmark"), &[]).expect("a network");
    let complete = run(&network, &Cancel::new()).expect("not cancelled");
    let cancelled = |microseconds: u64| {
        let cancel = Cancel::new();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| run(&network, &cancel));
            std::thread::sleep(std::time::Duration::from_micros(microseconds));
            cancel.cancel();
            run.join().expect("no panic")
        })
    };
    for microseconds in (0..3000).step_by(10) {
        if let Ok(outputs) = cancelled(microseconds) {
            assert!(outputs == complete, "unfinished after {microseconds} microseconds");
        }
    }
}

/// One too many was kept after every run, until there were hundreds.
#[test]
fn there_are_as_many_buffers_as_runs_at_a_time() {
    let network = Network::new(&tflite("hand_recrop"), &[]).expect("a network");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..20).for_each(|_| drop(run(&network, &Cancel::new()))));
        }
    });
    // Other tests may run at the same time where all share a process.
    assert!(VALUES.lock().expect("not poisoned").len() <= 16);
}

#[test]
fn what_is_no_network_is_refused() {
    for bytes in [&b""[..], b"not a network", &tflite("hand_recrop")[..5000]] {
        assert!(Network::new(bytes, &[]).is_err());
    }
    for pruned in [0, 1] {
        let refused = Network::new(&tflite("hand_recrop"), &[pruned]).unwrap_err();
        assert!(matches!(refused, Problem::Prune { output, outputs: 1 } if output == pruned), "{refused}");
    }
}

#[test]
fn an_operator_without_kernels_is_named() {
    let mut file = tflite("hand_recrop");
    // The byte in the table of operator codes that says PRELU.
    assert_eq!(std::mem::replace(&mut file[123_777], 26), 54);
    let refused = Network::new(&file, &[]).unwrap_err();
    assert!(
        matches!(&refused, Problem::UnknownOperator { operator, .. } if operator == "SPACE_TO_DEPTH"),
        "{refused}"
    );
}
