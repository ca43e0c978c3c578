//! Measures the table by which a network is quantised.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use dactyl_models::import::onnx::{FLOAT, ModelProto, NodeProto, TensorTypeProto, TypeProto, ValueInfoProto};
use dactyl_models::import::{Table, convolution_output, dequantized, quantize};
use dactyl_models::runtime::Network;
use prost::Message;

use crate::crops::collect;
use crate::histogram::Histogram;
use crate::run;

/// Convolutions that stay in float at the start (stem and first blocks) and at the end: by far the most of the error came
/// from them, and little of the time.
const FLOAT_AT_START: usize = 6;
const FLOAT_AT_END: usize = 3;
/// Frames looked at in each folder of a signer, and crops taken of each signer.
const FRAMES: usize = 10;
const CROPS: usize = 80;

/// The table as JSON, from crops of these folders.
pub fn calibrate(float: &[u8], folders: &[PathBuf], models: &Path) -> Result<String, Box<dyn Error>> {
    let mut crops = Vec::new();
    for folder in folders {
        let found = collect(folder, models, FRAMES, CROPS)?;
        println!("{}: {} crops", folder.display(), found.len());
        crops.extend(found);
    }
    let model = ModelProto::decode(float)?;
    let graph = model.graph.as_ref().ok_or("the network has no graph")?;
    let all: Vec<&NodeProto> = graph.node.iter().filter(|node| node.op_type == "Conv").collect();
    let kept = all.len().checked_sub(FLOAT_AT_END).and_then(|end| all.get(FLOAT_AT_START..end));
    let convolutions = kept.ok_or("the network has too few convolutions")?;

    let output = |node| convolution_output(graph, node).to_owned();
    let mut tensors: Vec<String> =
        convolutions.iter().flat_map(|node| [node.input[0].clone(), output(node)]).collect();
    tensors.sort_unstable();
    tensors.dedup();
    let hash = model.metadata_props.iter().find(|entry| entry.key == "tflite_sha256");
    let mut table = Table {
        about: format!(
            "Made by `cargo run --release --package dactyl-models --example int8 -- calibrate FOLDER...` from {} crops of \
             the hands of {} signers; models/README.md says which.",
            crops.len(),
            folders.len()
        ),
        tflite_sha256: hash.ok_or("the network does not say what it was made from")?.value.clone(),
        activations: ranges(float, &tensors, &crops)?,
        convolutions: convolutions.iter().map(|node| (node.name.clone(), Vec::new())).collect(),
    };

    // Those without an activation: each ends a block, and makes up for the errors of the convolutions before it. In order,
    // as each is measured with those before it corrected.
    let linear: Vec<_> = convolutions.iter().filter(|node| output(node) == node.output[0]).collect();
    let names: Vec<String> = linear.iter().map(|node| output(node)).collect();
    let wanted = means(float, &names, &crops)?;
    for ((node, name), wanted) in linear.iter().zip(&names).zip(&wanted) {
        let quantized = quantize(float, &table, "the network")?;
        let found = means(&quantized, &[dequantized(name)], &crops)?.remove(0);
        let corrections = wanted.iter().zip(&found).map(|(wanted, found)| rounded(wanted - found));
        table.convolutions.insert(node.name.clone(), corrections.collect());
    }
    Ok(text(&table)?)
}

/// Four significant digits keep the table small.
fn rounded(value: f64) -> f32 {
    format!("{value:.3e}").parse().unwrap_or(value as f32)
}

/// The best range of each tensor.
fn ranges(
    model: &[u8],
    tensors: &[String],
    crops: &[Vec<f32>],
) -> Result<BTreeMap<String, [f32; 2]>, Box<dyn Error>> {
    let network = with_outputs(model, tensors)?;
    let mut ends = vec![[0.0_f32; 2]; tensors.len()];
    for crop in crops {
        for ([low, high], values) in ends.iter_mut().zip(run(&network, crop)?) {
            *low = values.iter().copied().fold(*low, f32::min);
            *high = values.iter().copied().fold(*high, f32::max);
        }
    }
    let mut histograms: Vec<_> = ends.iter().map(|&[low, high]| Histogram::new(low, high)).collect();
    for crop in crops {
        for (histogram, values) in histograms.iter_mut().zip(run(&network, crop)?) {
            histogram.add(&values);
        }
    }
    Ok(tensors.iter().cloned().zip(histograms.iter().map(Histogram::best_range)).collect())
}

/// The mean of each channel of each tensor.
fn means(model: &[u8], tensors: &[String], crops: &[Vec<f32>]) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let network = with_outputs(model, tensors)?;
    let channels = |tensor: usize| network.outputs()[tensor].dimensions().get(1).copied().unwrap_or(1);
    let mut means: Vec<Vec<f64>> = (0..tensors.len()).map(|tensor| vec![0.0; channels(tensor)]).collect();
    for crop in crops {
        for (means, values) in means.iter_mut().zip(run(&network, crop)?) {
            let pixels = values.len() / means.len();
            for (mean, values) in means.iter_mut().zip(values.chunks_exact(pixels)) {
                let sum: f64 = values.iter().copied().map(f64::from).sum();
                *mean += sum / (pixels * crops.len()) as f64;
            }
        }
    }
    Ok(means)
}

/// The model with these inner tensors as its outputs.
fn with_outputs(model: &[u8], tensors: &[String]) -> Result<Network, Box<dyn Error>> {
    let mut model = ModelProto::decode(model)?;
    let graph = model.graph.as_mut().ok_or("the network has no graph")?;
    let float = TypeProto { tensor_type: Some(TensorTypeProto { elem_type: FLOAT, shape: None }) };
    let output = |name: &String| ValueInfoProto { name: name.clone(), r#type: Some(float.clone()) };
    graph.output = tensors.iter().map(output).collect();
    Ok(Network::from_bytes("the network with its inner tensors", &model.encode_to_vec())?)
}

/// JSON with a line for each tensor and convolution.
fn text(table: &Table) -> serde_json::Result<String> {
    fn lines<T: serde::Serialize>(map: &BTreeMap<String, T>) -> serde_json::Result<String> {
        let lines: Result<Vec<_>, _> = map
            .iter()
            .map(|(name, value)| Ok(format!("    \"{name}\": {}", serde_json::to_string(value)?)))
            .collect();
        Ok(lines?.join(",\n"))
    }
    Ok(format!(
        "{{\n  \"about\": {},\n  \"tflite_sha256\": \"{}\",\n  \"activations\": {{\n{}\n  }},\n  \"convolutions\": \
         {{\n{}\n  }}\n}}\n",
        serde_json::to_string(&table.about)?,
        table.tflite_sha256,
        lines(&table.activations)?,
        lines(&table.convolutions)?
    ))
}
