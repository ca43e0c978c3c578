//! A network: what the kernels make of a TFLite file, and a run of it.

use dactyl_kernels::{Cancel, Instructions, Network, Tensor, measure};
use dactyl_tests::tflite::{self, FLOAT16, FLOAT32, Field, Table};

use crate::assert_told;

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"TFL3",
    b"\0\0\0\0",
    b"\x01\0\0\0",
    b"\x02\0\0\0",
    b"\x04\0\0\0",
    b"\x08\0\0\0",
    b"\xFF\xFF\xFF\xFF",
    b"\xFF\xFF\xFF\x7F",
    b"\0\0\0\x04",
    b"\0\0\x01\0",
    b"\0\x10\0\0",
    b"\x04\0\x08\0",
];

/// Most that a run may cost: a network that takes longer is only read.
const MOST_WORK: usize = 1 << 21;

/// Small networks with every operator that there are kernels for.
pub fn seeds() -> Vec<Vec<u8>> {
    vec![every_operator(), strips(), strips_below_padding(), twice_the_same(), one_convolution()]
}

fn one_convolution() -> Vec<u8> {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 4, 4, 3]);
    let weights = network.weights(&[2, 3, 3, 3]);
    let output = network.convolution(false, [input, weights], 2, true, &[1, 2, 2, 2]);
    network.output(output);
    network.file()
}

fn every_operator() -> Vec<u8> {
    let mut network = tflite::Network::default();
    let none = || (0, Table::default());
    let input = network.input(&[1, 8, 8, 3]);
    let weights = network.weights(&[8, 3, 3, 3]);
    let first = network.convolution(false, [input, weights], 1, true, &[1, 8, 8, 8]);
    let relu = network.operator(19, none(), &[first], &[1, 8, 8, 8]);
    let weights = network.weights(&[1, 3, 3, 8]);
    let depthwise = network.convolution(true, [relu, weights], 1, true, &[1, 8, 8, 8]);
    let slopes = network.weights(&[1, 1, 8]);
    let prelu = network.operator(54, none(), &[depthwise, slopes], &[1, 8, 8, 8]);

    // Weights of float16, all of them 0.5.
    let halves = network.tensor(&[8, 1, 1, 8], FLOAT16, &[0, 0x38].repeat(64), None);
    let weights = network.operator(6, none(), &[halves], &[8, 1, 1, 8]);
    let pointwise = network.convolution(false, [prelu, weights], 1, true, &[1, 8, 8, 8]);
    let sum = network.add([pointwise, relu], &[1, 8, 8, 8]);
    let relu6 = network.operator(21, none(), &[sum], &[1, 8, 8, 8]);

    let padded = network.pad(relu6, [0, 1], [0, 1], &[1, 9, 9, 8]);
    let weights = network.weights(&[1, 3, 3, 8]);
    let smaller = network.convolution(true, [padded, weights], 2, false, &[1, 4, 4, 8]);
    let size = network.ints(&[8, 8]);
    let half_pixels = Table(vec![(3, Field::Byte(1))]);
    let larger = network.operator(23, (15, half_pixels), &[smaller, size], &[1, 8, 8, 8]);
    let [begin, end, steps] = [[0, 2, 2, 0], [1, 6, 0, 8], [1; 4]].map(|list| network.ints(&list));
    let mask = Table(vec![(1, Field::Int(1 << 2))]);
    let part = network.operator(45, (32, mask), &[larger, begin, end, steps], &[1, 4, 6, 8]);

    let block = Table(vec![(0, Field::Int(2))]);
    let pixels = network.operator(5, (94, block), &[smaller], &[1, 8, 8, 2]);
    let window = vec![1, 2, 3, 4].into_iter().map(|slot| (slot, Field::Int(2)));
    let window = Table([(0, Field::Byte(1))].into_iter().chain(window).collect());
    let pooled = network.operator(17, (5, window), &[smaller], &[1, 2, 2, 8]);
    let rows = network.operator(22, none(), &[pixels], &[1, 64, 2]);
    let more_rows = network.operator(22, none(), &[pooled], &[1, 16, 2]);
    let axis = Table(vec![(0, Field::Int(1))]);
    let joined = network.operator(2, (10, axis), &[rows, more_rows], &[1, 80, 2]);

    let axes = network.ints(&[1, 2]);
    let mean = network.operator(40, none(), &[pooled, axes], &[1, 1, 1, 8]);
    let weights = sparse_weights(&mut network);
    let bias = network.weights(&[2]);
    let logits = network.operator(9, (8, Table::default()), &[mean, weights, bias], &[1, 2]);
    let probabilities = network.operator(14, none(), &[logits], &[1, 2]);
    for output in [probabilities, joined, part] {
        network.output(output);
    }
    network.file()
}

/// Weights of the shape `[2, 8]`, of which three are not zero.
fn sparse_weights(network: &mut tflite::Network) -> i32 {
    let list = |numbers: &[i32]| Field::Table(Table(vec![(0, Field::Ints(numbers.to_vec()))]));
    let rows = Table(vec![(0, Field::Byte(0)), (1, Field::Int(2))]);
    let columns = Table(vec![
        (0, Field::Byte(1)),
        (2, Field::Byte(1)),
        (3, list(&[0, 1, 3])),
        (4, Field::Byte(1)),
        (5, list(&[7, 0, 3])),
    ]);
    let sparsity = Table(vec![(0, Field::Ints(vec![0, 1])), (2, Field::Tables(vec![rows, columns]))]);
    let values: Vec<u8> = [0.5f32, -0.25, 1.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let sparse = network.tensor(&[2, 8], FLOAT32, &values, Some(sparsity));
    network.operator(124, (0, Table::default()), &[sparse], &[2, 8])
}

/// Layers that run together some rows at a time, since what lies between them is larger than a core's cache.
fn strips() -> Vec<u8> {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 52, 52, 3]);
    let weights = network.weights(&[16, 1, 1, 3]);
    let first = network.convolution(false, [input, weights], 1, true, &[1, 52, 52, 16]);
    let weights = network.weights(&[1, 3, 3, 16]);
    let second = network.convolution(true, [first, weights], 1, true, &[1, 52, 52, 16]);
    let weights = network.weights(&[8, 1, 1, 16]);
    let third = network.convolution(false, [second, weights], 1, true, &[1, 52, 52, 8]);
    network.output(third);
    network.file()
}

/// The same where the first rows of the result read nothing but padding.
fn strips_below_padding() -> Vec<u8> {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 52, 52, 3]);
    let weights = network.weights(&[16, 1, 1, 3]);
    let first = network.convolution(false, [input, weights], 1, true, &[1, 52, 52, 16]);
    let padded = network.pad(first, [60, 0], [1, 1], &[1, 112, 54, 16]);
    let weights = network.weights(&[1, 3, 3, 16]);
    let second = network.convolution(true, [padded, weights], 1, false, &[1, 110, 52, 16]);
    network.output(second);
    network.file()
}

/// A feature map that is added to itself under two other names.
fn twice_the_same() -> Vec<u8> {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 4, 4, 3]);
    let weights = network.weights(&[8, 1, 1, 3]);
    let first = network.convolution(false, [input, weights], 1, true, &[1, 4, 4, 8]);
    let [one, other] = [0, 1].map(|_| network.pad(first, [0, 0], [0, 0], &[1, 4, 4, 8]));
    let sum = network.add([one, other], &[1, 4, 4, 8]);
    network.output(sum);
    network.file()
}

/// Checks one file. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let (mut accepted, mut results) = (false, Vec::new());
    for instructions in Instructions::all() {
        // Without vectors, a run takes too long.
        if instructions == Instructions::Scalar {
            continue;
        }
        match Network::new_on(instructions, input, &[]) {
            Ok(network) => {
                accepted = true;
                if measure::work(&network) <= MOST_WORK {
                    results.push(run(&network));
                }
            }
            Err(problem) => assert_told(&problem.to_string()),
        }
    }
    for pair in results.windows(2) {
        assert!(pair[0] == pair[1], "vectors of another length give other values");
    }
    accepted
}

/// The bits of what a network gives for a picture, those of every NaN the same.
fn run(network: &Network) -> Vec<Vec<u32>> {
    let values = |tensors: &[Tensor]| tensors.iter().map(Tensor::values).collect::<Vec<_>>();
    let picture = |count: usize| (0..count).map(|index| (index % 13) as f32 / 13.0).collect::<Vec<f32>>();
    let inputs: Vec<Vec<f32>> = values(network.inputs()).into_iter().map(picture).collect();
    let mut outputs: Vec<Vec<f32>> =
        values(network.outputs()).into_iter().map(|count| vec![0.0; count]).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    network.run(&inputs, &mut slices, &Cancel::new()).expect("a network that was accepted runs");
    let bits = |value: &f32| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() };
    outputs.iter().map(|output| output.iter().map(bits).collect()).collect()
}
