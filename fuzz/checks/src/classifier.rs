//! A letter model: what its file says of itself, in ONNX's form. Its network is ONNX Runtime's to read.

use std::collections::BTreeMap;
use std::fs;

use dactyl_letters::{Contract, Layout, Meaning, Overrides, TensorInfo, check_tensors, label_index};
use dactyl_onnx::{GraphProto, Message, ModelProto, ValueInfoProto};
use dactyl_tests::recordings::shared;

use crate::assert_told;

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"labels",
    b"window",
    b"features",
    b"output",
    b"hand-1",
    b"holistic-1662",
    b"probabilities",
    b"logits",
    b"[\"A\", \"B\"]",
    b"[]",
    b"\"\"",
    b"\"\\u0130\"",
    b"\"\xC7\x85\"",
    b"\"\xC3\x9F\"",
    b"1024",
    b"+32",
    b" 32 ",
    b"-1",
    b"18446744073709551616",
    b"\x72\x0F\x0A\x06",
    b"\x12",
];

/// Descriptions without weights: the built-in model's, that of `../shared`, and small ones.
pub fn seeds() -> Vec<Vec<u8>> {
    let contract = |labels: &[&str], features, output| {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        Contract { labels, window: 32, features, output }
    };
    let contracts = [
        contract(&["A", "B", "thank you"], Layout::Hand1, Meaning::Probabilities),
        contract(&["\u{1F91F}", "\u{df}", "\"\\"], Layout::Holistic1662, Meaning::Logits),
    ];
    let mut seeds: Vec<Vec<u8>> =
        contracts.iter().map(|contract| described(contract).encode_to_vec()).collect();
    seeds.push(without_weights(include_bytes!("../../../models/weights/letters.onnx")));
    let nan = shared("cases/nan.onnx").map(|file| fs::read(file).expect("a letter model"));
    seeds.extend(nan.map(|file| without_weights(&file)));
    seeds
}

fn described(contract: &Contract) -> ModelProto {
    let [window, width, labels] = [contract.window, contract.features.width(), contract.labels.len()]
        .map(|length| i64::try_from(length).expect("a small number"));
    let graph = GraphProto {
        input: vec![ValueInfoProto::floats("frames", &[1, window, width])],
        output: vec![ValueInfoProto::floats("letters", &[1, labels])],
        ..GraphProto::default()
    };
    ModelProto::new(graph, 13, contract.properties())
}

fn without_weights(file: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(file).expect("an ONNX file");
    if let Some(graph) = &mut model.graph {
        graph.node.clear();
        graph.initializer.clear();
    }
    model.encode_to_vec()
}

/// Checks one file. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let Ok(model) = ModelProto::decode(input) else { return false };
    let properties = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    let contract = match Contract::read(&properties, &Overrides::default()) {
        Ok(contract) => contract,
        Err(error) => {
            assert_told(&error.to_string());
            return false;
        }
    };
    let read_back = Contract::read(&contract.properties(), &Overrides::default());
    assert_eq!(read_back.as_ref(), Ok(&contract), "written and read again");
    let overrides = Overrides {
        labels: contract.labels.clone(),
        window: Some(contract.window),
        features: Some(contract.features),
        output: Some(contract.output),
    };
    assert_eq!(
        Contract::read(&BTreeMap::new(), &overrides).as_ref(),
        Ok(&contract),
        "said by the configuration"
    );
    for (index, label) in contract.labels.iter().enumerate() {
        assert_eq!(label_index(&contract.labels, label), Some(index), "{label:?} is another label");
    }

    let graph = model.graph.unwrap_or_default();
    match check_tensors(&tensors(graph.input), &tensors(graph.output), &contract) {
        Ok(lengths) => {
            let values: usize = lengths.iter().product();
            assert_eq!(values, contract.window * contract.features.width(), "{lengths:?}");
        }
        Err(problem) => assert_told(&problem),
    }
    true
}

/// Inputs or outputs as ONNX Runtime tells them: a length that is not said is open.
fn tensors(values: Vec<ValueInfoProto>) -> Vec<TensorInfo> {
    let tensor = |value: ValueInfoProto| {
        let shape = value.r#type.and_then(|kind| kind.tensor_type).and_then(|tensor| tensor.shape);
        let lengths = shape.unwrap_or_default().dim.into_iter().map(|dim| dim.dim_value);
        let shape = lengths.map(|length| if length == 0 { -1 } else { length }).collect();
        TensorInfo { name: value.name, shape }
    };
    values.into_iter().map(tensor).collect()
}
