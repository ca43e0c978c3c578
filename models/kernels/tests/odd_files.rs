//! Files that no converter writes: what they hold is computed, or refused before it takes memory.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use dactyl_kernels::{Cancel, Network};
use dactyl_tests::tflite::{self, FLOAT32, Field, Table};

/// The outputs for a picture.
fn run(file: &[u8]) -> Vec<Vec<f32>> {
    let network = Network::new(file, &[]).expect("a network");
    let input: Vec<f32> = (0..network.inputs()[0].values()).map(|index| (index % 13) as f32 - 6.0).collect();
    let mut outputs: Vec<Vec<f32>> =
        network.outputs().iter().map(|output| vec![f32::NAN; output.values()]).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    network.run(&[&input], &mut slices, &Cancel::new()).expect("it runs");
    outputs
}

fn refused(file: &[u8]) -> String {
    Network::new(file, &[]).expect_err("it is refused").to_string()
}

/// A network of one convolution, its input and its result of 4 x 4 x 8.
fn convolution() -> (tflite::Network, i32) {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 4, 4, 3]);
    let weights = network.weights(&[8, 1, 1, 3]);
    let result = network.convolution(false, [input, weights], 1, true, &[1, 4, 4, 8]);
    (network, result)
}

/// The convolution was to add its own result to itself, which ended the thread.
#[test]
fn a_feature_map_is_added_to_itself_under_two_names() {
    let (mut network, result) = convolution();
    let names = [0, 1].map(|_| network.pad(result, [0, 0], [0, 0], &[1, 4, 4, 8]));
    let sum = network.add(names, &[1, 4, 4, 8]);
    network.output(result);
    network.output(sum);
    let outputs = run(&network.file());
    let doubled: Vec<f32> = outputs[0].iter().map(|value| value * 2.0).collect();
    assert_eq!(outputs[1], doubled);
}

/// The convolution did it at its end, for those too who read its result without.
#[test]
fn what_is_done_to_a_feature_map_under_another_name_leaves_it_as_it_is() {
    let (mut network, result) = convolution();
    let name = network.pad(result, [0, 0], [0, 0], &[1, 4, 4, 8]);
    let relu = network.operator(19, (0, Table::default()), &[name], &[1, 4, 4, 8]);
    network.output(result);
    network.output(relu);
    let outputs = run(&network.file());
    assert!(outputs[0].iter().any(|value| *value < 0.0), "{outputs:?}");
    let positive: Vec<f32> = outputs[0].iter().map(|value| value.max(0.0)).collect();
    assert_eq!(outputs[1], positive);
}

/// More padding above than a window has rows, in layers that run together some rows at a time: how many rows are needed before was
/// counted below zero.
#[test]
fn rows_that_read_nothing_but_padding_are_computed() {
    const ABOVE: i32 = 60;
    let network = |above: i32| {
        let mut network = tflite::Network::default();
        let input = network.input(&[1, 52, 52, 3]);
        let weights = network.weights(&[16, 1, 1, 3]);
        let first = network.convolution(false, [input, weights], 1, true, &[1, 52, 52, 16]);
        let padded = network.pad(first, [above, 0], [0, 0], &[1, 52 + above, 52, 16]);
        let weights = network.weights(&[1, 3, 3, 16]);
        let second = network.convolution(true, [padded, weights], 1, false, &[1, 50 + above, 50, 16]);
        network.output(second);
        run(&network.file()).remove(0)
    };
    let (without, with) = (network(0), network(ABOVE));
    let (nothing, rest) = with.split_at((ABOVE as usize - 2) * 50 * 16);
    assert!(nothing.iter().all(|value| *value == 0.0), "padding is zeros");
    // The two rows between read one or two rows of padding.
    assert_eq!(rest[2 * 50 * 16..], without);
}

/// A row of a sparse constant takes no bytes, however long it says that it is.
#[test]
fn a_short_sparse_constant_takes_no_memory_for_a_long_row() {
    const LENGTH: i32 = 1 << 24;
    let list = |numbers: &[i32]| Field::Table(Table(vec![(0, Field::Ints(numbers.to_vec()))]));
    let dense = Table(vec![(0, Field::Byte(0)), (1, Field::Int(1))]);
    let compressed = Table(vec![
        (0, Field::Byte(1)),
        (2, Field::Byte(1)),
        (3, list(&[0, 1])),
        (4, Field::Byte(1)),
        (5, list(&[0])),
    ]);
    let dimensions = vec![dense.clone(), dense.clone(), dense, compressed];
    let sparsity = Table(vec![(0, Field::Ints(vec![0, 1, 2, 3])), (2, Field::Tables(dimensions))]);
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 1, 1, LENGTH]);
    let sparse = network.tensor(&[1, 1, 1, LENGTH], FLOAT32, &1f32.to_le_bytes(), Some(sparsity));
    let weights = network.operator(124, (0, Table::default()), &[sparse], &[1, 1, 1, LENGTH]);
    let output = network.convolution(false, [input, weights], 1, true, &[1, 1, 1, 1]);
    network.output(output);
    let problem = refused(&network.file());
    assert!(problem.contains("weights"), "{problem}");
}

/// Each of twenty operators joined the one before with itself: a million feature maps, and a list of them for each operator.
#[test]
fn rows_that_are_joined_with_themselves_again_and_again_are_refused() {
    let mut network = tflite::Network::default();
    let input = network.input(&[1, 1, 1, 3]);
    let weights = network.weights(&[1, 1, 1, 3]);
    let one = network.convolution(false, [input, weights], 1, true, &[1, 1, 1, 1]);
    let mut rows = network.operator(22, (0, Table::default()), &[one], &[1, 1, 1]);
    for doubling in 1..=20 {
        let axis = Table(vec![(0, Field::Int(1))]);
        rows = network.operator(2, (10, axis), &[rows, rows], &[1, 1 << doubling, 1]);
    }
    network.output(rows);
    let problem = refused(&network.file());
    assert!(problem.contains("joins more than"), "{problem}");
}

/// A list that many tables name was copied for each of them: a file of 200 kB took some gigabytes.
#[test]
fn a_list_that_many_tables_share_is_no_way_to_fill_the_memory() {
    let name = Field::Bytes(vec![b'x'; 100_000]);
    let tensor = Table(vec![(0, Field::Ints(vec![1])), (3, name)]);
    let graph = Table(vec![(0, Field::Repeated(tensor, 20_000))]);
    let buffers = Field::Tables(vec![Table::default()]);
    let problem = refused(&tflite::file(&Table(vec![(2, Field::Tables(vec![graph])), (4, buffers)])));
    assert!(problem.contains("name the same lists"), "{problem}");
}
