//! Weights to ONNX: opset 17, nine operators, metadata as `dactyl_models::letters::metadata` defines it.
//!
//! `[1, window, features]` -> transpose to `[window, 1, features]` -> two dense layers -> LSTM -> last state `[1, hidden]`
//! -> dense -> softmax -> `[1, labels]`.

use std::collections::BTreeMap;

use anyhow::Result;
use dactyl_models::import::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto,
};
use dactyl_models::letters::Contract;
use prost::Message;

use crate::network::Network;

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
    let [features, wide, narrow, hidden, classes] =
        [sizes.features, sizes.wide, sizes.narrow, sizes.hidden, sizes.classes].map(|size| size as i64);
    let cooled = |name: &str| -> Result<Vec<f32>> {
        Ok(network.values(name)?.into_iter().map(|value| value / temperature as f32).collect())
    };
    // ONNX has two bias vectors; one of them is left zero.
    let mut bias = network.values("lstm.bias")?;
    bias.resize(8 * sizes.hidden, 0.0);
    let input = transposed(&network.values("lstm.input")?, sizes.narrow);
    let recurrent = transposed(&network.values("lstm.recurrent")?, sizes.hidden);
    let initializer = vec![
        TensorProto::floats("wide.weight", &[features, wide], &network.values("wide.weight")?),
        TensorProto::floats("wide.bias", &[wide], &network.values("wide.bias")?),
        TensorProto::floats("narrow.weight", &[wide, narrow], &network.values("narrow.weight")?),
        TensorProto::floats("narrow.bias", &[narrow], &network.values("narrow.bias")?),
        TensorProto::floats("lstm.input", &[1, 4 * hidden, narrow], &input),
        TensorProto::floats("lstm.recurrent", &[1, 4 * hidden, hidden], &recurrent),
        TensorProto::floats("lstm.bias", &[1, 8 * hidden], &bias),
        TensorProto::ints("state.shape", &[1, hidden]),
        TensorProto::floats("output.weight", &[hidden, classes], &cooled("output.weight")?),
        TensorProto::floats("output.bias", &[classes], &cooled("output.bias")?),
    ];
    let node = vec![
        node("Transpose", &["features"], &["frames"], vec![AttributeProto::ints("perm", &[1, 0, 2])]),
        node("MatMul", &["frames", "wide.weight"], &["wide.product"], vec![]),
        node("Add", &["wide.product", "wide.bias"], &["wide.sum"], vec![]),
        node("Relu", &["wide.sum"], &["wide"], vec![]),
        node("MatMul", &["wide", "narrow.weight"], &["narrow.product"], vec![]),
        node("Add", &["narrow.product", "narrow.bias"], &["narrow.sum"], vec![]),
        node("Relu", &["narrow.sum"], &["narrow"], vec![]),
        node(
            "LSTM",
            &["narrow", "lstm.input", "lstm.recurrent", "lstm.bias"],
            &["", "last"],
            vec![AttributeProto::int("hidden_size", hidden)],
        ),
        node("Reshape", &["last", "state.shape"], &["state"], vec![]),
        node("Gemm", &["state", "output.weight", "output.bias"], &["logits"], vec![]),
        node("Softmax", &["logits"], &["probabilities"], vec![AttributeProto::int("axis", 1)]),
    ];
    let window = contract.window as i64;
    let graph = GraphProto {
        node,
        name: "letters".to_owned(),
        initializer,
        input: vec![ValueInfoProto::floats("features", &[1, window, features])],
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

fn node(operator: &str, input: &[&str], output: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    // Every operator writes one value that is used, so its name serves the node too.
    let name = output.iter().find(|name| !name.is_empty()).copied().unwrap_or_default().to_owned();
    NodeProto { input: texts(input), output: texts(output), name, op_type: operator.to_owned(), attribute }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}
