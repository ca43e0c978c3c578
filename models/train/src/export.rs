//! Weights to ONNX: opset 17, metadata as `dactyl_letters::metadata` defines it.
//!
//! `[1, window, features]` -> shape of the hand, presence and movement apart -> for each reader, side by side, three dense
//! layers on the shape of every frame -> softmax -> mean over the readers -> by presence -> presence and movement again ->
//! LSTM -> last state -> dense -> plus the logarithm of the window's mean distribution -> softmax -> `[1, labels]`. Where the network
//! knows hands that show none of the labels: shape of the hand -> for each of its readers three dense layers -> sigmoid -> mean over
//! readers and frames, which is taken from the labels' probabilities.

use std::collections::BTreeMap;

use anyhow::Result;
use dactyl_letters::features::{HAND_1, MOVEMENT, SHAPE};
use dactyl_letters::{Contract, Layout, Meaning};
use dactyl_onnx::{
    AttributeProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto,
};

use crate::network::{LEAST, Network};
use crate::windows::FRAMES;

/// ONNX operator set of exported models.
const OPSET: i64 = 17;
/// File format that goes with it.
const IR_VERSION: i64 = 8;

/// The model as an ONNX file. `temperature` divides the logits; `notes` are further metadata properties.
///
/// # Errors
/// As candle gives them.
pub fn onnx(
    network: &Network,
    contract: &Contract,
    temperature: f64,
    notes: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let sizes = network.sizes;
    let [readers, wide, narrow, hidden, classes, reading] =
        [sizes.readers, sizes.wide, sizes.narrow, sizes.hidden, sizes.classes, sizes.reading()]
            .map(|size| size as i64);
    let [features, shape, movement] = [HAND_1, SHAPE, MOVEMENT].map(|size| size as i64);
    let cooled = |name: &str| -> Result<Vec<f32>> {
        Ok(network.values(name)?.into_iter().map(|value| value / temperature as f32).collect())
    };
    // ONNX has two bias vectors; one of them is left zero.
    let mut bias = network.values("lstm.bias")?;
    bias.resize(8 * sizes.hidden, 0.0);
    let input = transposed(&network.values("lstm.input")?, sizes.reading());
    let recurrent = transposed(&network.values("lstm.recurrent")?, sizes.hidden);
    let (wide_weight, wide_bias) = scaled_input(network, "", sizes.readers)?;
    let mut initializer = vec![
        TensorProto::ints("parts", &[1, shape - 1, movement]),
        TensorProto::floats("wide.weight", &[readers, shape - 1, wide], &wide_weight),
        TensorProto::floats("wide.bias", &[readers, 1, wide], &wide_bias),
        TensorProto::floats("narrow.weight", &[readers, wide, narrow], &network.values("narrow.weight")?),
        TensorProto::floats("narrow.bias", &[readers, 1, narrow], &network.values("narrow.bias")?),
        TensorProto::floats("letter.weight", &[readers, narrow, classes], &network.values("letter.weight")?),
        TensorProto::floats("letter.bias", &[readers, 1, classes], &network.values("letter.bias")?),
        TensorProto::floats("lstm.input", &[1, 4 * hidden, reading], &input),
        TensorProto::floats("lstm.recurrent", &[1, 4 * hidden, hidden], &recurrent),
        TensorProto::floats("lstm.bias", &[1, 8 * hidden], &bias),
        TensorProto::ints("state.shape", &[1, hidden]),
        TensorProto::ints("time", &[1]),
        TensorProto::floats("least", &[1], &[LEAST as f32]),
        TensorProto::floats("coolness", &[1], &[1.0 / temperature as f32]),
        TensorProto::floats("output.weight", &[hidden, classes], &cooled("output.weight")?),
        TensorProto::floats("output.bias", &[classes], &cooled("output.bias")?),
    ];
    let dense = |name: &str, input: &str| {
        let [weight, bias, product, sum] =
            ["weight", "bias", "product", "sum"].map(|part| format!("{name}.{part}"));
        [
            node("MatMul", &[input, &weight], &[&product], vec![]),
            node("Add", &[&product, &bias], &[&sum], vec![]),
        ]
    };
    let mut nodes = vec![node(
        "Split",
        &["features", "parts"],
        &["presence", "shape", "movement"],
        vec![AttributeProto::int("axis", 2)],
    )];
    // The readers whose names begin with a prefix, up to what their softmax or sigmoid takes.
    let readers_of = |prefix: &str| {
        let [wide, narrow, letter] = ["wide", "narrow", "letter"].map(|layer| format!("{prefix}{layer}"));
        let relu = |layer: &str| node("Relu", &[&format!("{layer}.sum")], &[layer], vec![]);
        let [first, second, third] = [dense(&wide, "shape"), dense(&narrow, &wide), dense(&letter, &narrow)];
        first.into_iter().chain([relu(&wide)]).chain(second).chain([relu(&narrow)]).chain(third)
    };
    nodes.extend(readers_of(""));
    nodes.extend([
        node("Softmax", &["letter.sum"], &["letter"], vec![AttributeProto::int("axis", 2)]),
        node(
            "ReduceMean",
            &["letter"],
            &["letters"],
            vec![AttributeProto::ints("axes", &[0]), AttributeProto::int("keepdims", 1)],
        ),
        node("Mul", &["letters", "presence"], &["seen"], vec![]),
        node("Concat", &["seen", "presence", "movement"], &["reading"], vec![AttributeProto::int("axis", 2)]),
        node("Transpose", &["reading"], &["frames"], vec![AttributeProto::ints("perm", &[1, 0, 2])]),
        node(
            "LSTM",
            &["frames", "lstm.input", "lstm.recurrent", "lstm.bias"],
            &["", "last"],
            vec![AttributeProto::int("hidden_size", hidden)],
        ),
        node("Reshape", &["last", "state.shape"], &["state"], vec![]),
        node("Gemm", &["state", "output.weight", "output.bias"], &["correction"], vec![]),
        node("ReduceSum", &["seen", "time"], &["seen.sum"], vec![AttributeProto::int("keepdims", 0)]),
        node("ReduceSum", &["presence", "time"], &["presence.sum"], vec![AttributeProto::int("keepdims", 0)]),
        node("Add", &["presence.sum", "least"], &["presence.most"], vec![]),
        node("Div", &["seen.sum", "presence.most"], &["mean"], vec![]),
        node("Add", &["mean", "least"], &["mean.most"], vec![]),
        node("Log", &["mean.most"], &["mean.log"], vec![]),
        node("Mul", &["mean.log", "coolness"], &["mean.logits"], vec![]),
        node("Add", &["mean.logits", "correction"], &["logits"], vec![]),
    ]);
    let softmax =
        |output: &str| node("Softmax", &["logits"], &[output], vec![AttributeProto::int("axis", 1)]);
    if sizes.other_readers > 0 {
        let [readers, wide, narrow] =
            [sizes.other_readers, sizes.wide / 2, sizes.narrow / 2].map(|size| size as i64);
        let (wide_weight, wide_bias) = scaled_input(network, "other.", sizes.other_readers)?;
        let values = |name: &str| network.values(name);
        initializer.extend([
            TensorProto::floats("other.wide.weight", &[readers, shape - 1, wide], &wide_weight),
            TensorProto::floats("other.wide.bias", &[readers, 1, wide], &wide_bias),
            TensorProto::floats(
                "other.narrow.weight",
                &[readers, wide, narrow],
                &values("other.narrow.weight")?,
            ),
            TensorProto::floats("other.narrow.bias", &[readers, 1, narrow], &values("other.narrow.bias")?),
            TensorProto::floats(
                "other.letter.weight",
                &[readers, narrow, 1],
                &values("other.letter.weight")?,
            ),
            TensorProto::floats("other.letter.bias", &[readers, 1, 1], &values("other.letter.bias")?),
            TensorProto::floats("one", &[1], &[1.0]),
        ]);
        nodes.push(softmax("labels"));
        nodes.extend(readers_of("other."));
        nodes.extend([
            node("Sigmoid", &["other.letter.sum"], &["other.letter"], vec![]),
            node(
                "ReduceMean",
                &["other.letter"],
                &["other"],
                vec![AttributeProto::ints("axes", &[0]), AttributeProto::int("keepdims", 1)],
            ),
            node("Mul", &["other", "presence"], &["other.seen"], vec![]),
            node(
                "ReduceSum",
                &["other.seen", "time"],
                &["other.sum"],
                vec![AttributeProto::int("keepdims", 0)],
            ),
            node("Div", &["other.sum", "presence.most"], &["other.mean"], vec![]),
            node("Sub", &["one", "other.mean"], &["shown"], vec![]),
            node("Mul", &["labels", "shown"], &["probabilities"], vec![]),
        ]);
    } else {
        nodes.push(softmax("probabilities"));
    }
    let graph = GraphProto {
        node: nodes,
        name: "letters".to_owned(),
        initializer,
        input: vec![ValueInfoProto::floats("features", &[1, contract.window as i64, features])],
        output: vec![ValueInfoProto::floats("probabilities", &[1, classes])],
    };
    let mut properties = notes.clone();
    properties.extend(contract.properties());
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: properties
            .into_iter()
            .map(|(key, value)| StringStringEntryProto { key, value })
            .collect(),
    };
    Ok(model.encode_to_vec())
}

/// What exported models of these labels say about themselves.
pub fn contract(labels: Vec<String>) -> Contract {
    Contract { labels, window: FRAMES, features: Layout::Hand1, output: Meaning::Probabilities }
}

/// First dense layer of so many readers, whose names begin with `prefix`, with the scaling of its input worked in, without the first
/// value: presence, which is 1 where it counts.
fn scaled_input(network: &Network, prefix: &str, readers: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let (mean, deviation) = (network.values("shape.mean")?, network.values("shape.deviation")?);
    let (mut weight, mut bias) =
        (network.values(&format!("{prefix}wide.weight"))?, network.values(&format!("{prefix}wide.bias"))?);
    let wide = bias.len() / readers;
    let mut rest = Vec::with_capacity(weight.len());
    for (weight, bias) in weight.chunks_exact_mut(SHAPE * wide).zip(bias.chunks_exact_mut(wide)) {
        for (index, row) in weight.chunks_exact_mut(wide).enumerate() {
            let presence = if index == 0 { 1.0 } else { 0.0 };
            for (value, bias) in row.iter_mut().zip(&mut *bias) {
                *value /= deviation[index];
                *bias += (presence - mean[index]) * *value;
            }
        }
        rest.extend_from_slice(&weight[wide..]);
    }
    Ok((rest, bias))
}

fn node(operator: &str, input: &[&str], output: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    // No value is written twice, so the first one's name serves the node too.
    let name = output.iter().find(|name| !name.is_empty()).copied().unwrap_or_default().to_owned();
    NodeProto { input: texts(input), output: texts(output), name, op_type: operator.to_owned(), attribute }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}
