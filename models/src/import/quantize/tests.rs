//! The pass on a network of two convolutions, an addition and an activation.

use super::super::onnx::{OperatorSetIdProto, ValueInfoProto};
use super::*;

/// `image -> first -> clip -> second -> sum = second + clip -> output`, two channels.
fn model() -> ModelProto {
    let node = |operator: &str, name: &str, input: &[&str]| NodeProto {
        input: input.iter().map(|&input| input.to_owned()).collect(),
        output: vec![name.to_owned()],
        name: name.to_owned(),
        op_type: operator.to_owned(),
        attribute: Vec::new(),
    };
    let dims = [1, 2, 1, 1];
    let graph = GraphProto {
        node: vec![
            node("Conv", "first", &["image", "weights_1", "bias_1"]),
            node("Clip", "clip", &["first", "zero", "six"]),
            node("Conv", "second", &["clip", "weights_2", "bias_2"]),
            node("Add", "sum", &["second", "clip"]),
            node("Identity", "output", &["sum"]),
        ],
        name: "test".to_owned(),
        initializer: vec![
            TensorProto::floats("weights_1", &[2, 2, 1, 1], &[1.0, -0.5, 0.25, 127.0]),
            TensorProto::floats("bias_1", &[2], &[0.5, -2.0]),
            TensorProto::floats("weights_2", &[2, 2, 1, 1], &[0.0, 0.0, 1.0, 1.0]),
            TensorProto::floats("bias_2", &[2], &[3.0, 0.0]),
            TensorProto::floats("zero", &[], &[0.0]),
            TensorProto::floats("six", &[], &[6.0]),
        ],
        input: vec![ValueInfoProto::floats("image", &dims)],
        output: vec![ValueInfoProto::floats("output", &dims)],
    };
    ModelProto {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        metadata_props: vec![StringStringEntryProto {
            key: TFLITE_HASH.to_owned(),
            value: "the file".to_owned(),
        }],
        ..ModelProto::default()
    }
}

fn table() -> Table {
    let range = |name: &str, low, high| (name.to_owned(), [low, high]);
    Table {
        about: "a test".to_owned(),
        tflite_sha256: "the file".to_owned(),
        activations: [range("image", -1.0, 1.55), range("clip", 0.0, 5.1), range("second", -2.55, 2.55)]
            .into(),
        convolutions: [("first".to_owned(), vec![0.5, 0.0]), ("second".to_owned(), Vec::new())].into(),
    }
}

fn pass(table: &Table) -> Result<GraphProto, Problem> {
    quantize_model(model(), table).map(|model| model.graph.unwrap())
}

fn constant<'g>(graph: &'g GraphProto, name: &str) -> &'g TensorProto {
    graph.initializer.iter().find(|constant| constant.name == name).unwrap()
}

/// What the table is changed to, and what the error must say.
fn refused(change: impl FnOnce(&mut Table), expected: &str) {
    let mut table = table();
    change(&mut table);
    let problem = pass(&table).unwrap_err();
    assert!(matches!(problem, Problem::Table(_)), "{problem:?}");
    assert!(problem.to_string().contains(expected), "{problem}");
}

#[test]
fn convolutions_stand_between_integers() {
    let graph = pass(&table()).unwrap();
    let inputs: HashMap<&str, &[String]> =
        graph.node.iter().map(|node| (output(node), node.input.as_slice())).collect();
    assert_eq!(inputs["first"], ["image_dequantized", "first_weights_dequantized", "first_bias_dequantized"]);
    // The Clip is gone: the integers saturate at 0 and 5.1.
    assert!(!inputs.contains_key("clip"));
    assert_eq!(inputs["clip_quantized"], ["first", "clip_scale", "clip_zero"]);
    assert_eq!(inputs["second"][0], "clip_dequantized");
    assert_eq!(inputs["sum"], ["second_dequantized", "clip_dequantized"]);
    assert_eq!(inputs["output"], ["sum"]);
    assert_eq!((graph.input, graph.output), {
        let graph = model().graph.unwrap();
        (graph.input, graph.output)
    });
}

#[test]
fn constants_that_nothing_reads_are_left_out() {
    let graph = pass(&table()).unwrap();
    assert!(
        graph
            .initializer
            .iter()
            .all(|constant| { graph.node.iter().any(|node| node.input.contains(&constant.name)) })
    );
    assert!(!graph.initializer.iter().any(|constant| constant.name == "six"));
}

#[test]
fn every_channel_uses_all_of_the_integers() {
    let graph = pass(&table()).unwrap();
    let weights = constant(&graph, "first_weights_quantized");
    assert_eq!((weights.data_type, weights.dims.as_slice()), (onnx::INT8, [2, 2, 1, 1].as_slice()));
    assert_eq!(weights.raw_data, [127_i8, -64, 0, 127].map(|weight| weight as u8));
    assert_eq!(floats(constant(&graph, "first_weights_scale")).unwrap(), [1.0 / 127.0, 1.0]);
}

#[test]
fn zero_is_a_level_of_an_activation() {
    let graph = pass(&table()).unwrap();
    assert_eq!(constant(&graph, "image_zero").raw_data, [100]);
    assert_eq!(floats(constant(&graph, "image_scale")).unwrap(), [2.55 / 255.0]);
    assert_eq!(constant(&graph, "clip_zero").raw_data, [0]);
}

#[test]
fn corrections_are_added_to_the_bias() {
    let graph = pass(&table()).unwrap();
    let bias = constant(&graph, "first_bias_quantized");
    let scales = floats(constant(&graph, "first_bias_scale")).unwrap();
    let (integers, _) = bias.raw_data.as_chunks::<4>();
    let value = |channel: usize| i32::from_le_bytes(integers[channel]) as f32 * scales[channel];
    assert!((value(0) - 1.0).abs() < scales[0], "{}", value(0));
    assert!((value(1) + 2.0).abs() < scales[1], "{}", value(1));
}

#[test]
fn bias_of_a_channel_without_weights_fits_into_an_int32() {
    let graph = pass(&table()).unwrap();
    let bias = constant(&graph, "second_bias_quantized");
    let scale = floats(constant(&graph, "second_bias_scale")).unwrap()[0];
    let (integers, _) = bias.raw_data.as_chunks::<4>();
    let value = i32::from_le_bytes(integers[0]) as f32 * scale;
    assert!((value - 3.0).abs() < 1e-5, "{value}");
}

#[test]
fn table_of_another_network_is_refused() {
    refused(|table| table.tflite_sha256 = "another".to_owned(), "not for the file: calibrate anew");
}

#[test]
fn table_that_does_not_fit_the_network_is_refused() {
    refused(|table| drop(table.convolutions.insert("third".to_owned(), Vec::new())), "no convolution third");
    refused(|table| drop(table.convolutions.insert("sum".to_owned(), Vec::new())), "no convolution sum");
    refused(
        |table| {
            table.activations.remove("second");
        },
        "no range for second",
    );
    refused(
        |table| {
            table.activations.insert("sum".to_owned(), [0.0, 1.0]);
        },
        "a range for sum, which no quantised convolution reads or writes",
    );
    refused(
        |table| drop(table.convolutions.insert("first".to_owned(), vec![1.0])),
        "the corrections of first are not one number for each of its 2 output channels",
    );
    refused(|table| table.convolutions.get_mut("first").unwrap()[1] = f32::NAN, "the corrections of first");
}

#[test]
fn range_must_contain_zero() {
    for range in [[0.5, 1.0], [-1.0, -0.5], [0.0, 0.0], [1.0, -1.0], [f32::NAN, 1.0], [0.0, f32::INFINITY]] {
        refused(
            |table| {
                table.activations.insert("image".to_owned(), range);
            },
            "the range of image",
        );
    }
}

#[test]
fn range_must_lie_within_the_activation_that_it_replaces() {
    for range in [[-0.1, 6.0], [0.0, 6.1]] {
        refused(
            |table| {
                table.activations.insert("clip".to_owned(), range);
            },
            "wider than its Clip allows",
        );
    }
}

#[test]
fn damaged_table_says_where() {
    for (json, expected) in [
        ("{", "line 1 column 1"),
        ("{\"about\": \"\"}", "missing field `tflite_sha256`"),
        (
            "{\"about\": \"\", \"tflite_sha256\": \"\", \"activations\": {\"x\": [1]}, \"convolutions\": {}}",
            "invalid length 1",
        ),
        ("{\"surprise\": 1}", "unknown field `surprise`"),
    ] {
        let problem = Table::parse(json).unwrap_err();
        assert!(problem.to_string().contains(expected), "{problem}");
    }
}

#[test]
fn other_files_are_refused() {
    let error = quantize(b"no model", &table(), "the file").unwrap_err();
    assert!(error.to_string().starts_with("the file cannot be imported: it is no ONNX file"), "{error}");
    let error = quantize(&[], &table(), "the file").unwrap_err();
    assert!(matches!(error.problem, Problem::Table(_)), "{error}");
}
