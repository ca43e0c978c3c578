//! Writes an imported network with 8-bit integers where a table says so, for processors that multiply those faster.
//!
//! ONNX Runtime runs a convolution in integers when it stands between `DequantizeLinear` and `QuantizeLinear`; this pass
//! puts them there. Activations are uint8 with one scale and zero point a tensor, weights int8 with one scale an output
//! channel and no zero point, biases int32. Inputs and outputs keep their names, order, shapes and type.
//!
//! The convolutions to quantise and the ranges of the activations stand in a [`Table`], which the example `calibrate`
//! measures on pictures.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::onnx::{
    self, AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};
use super::{ImportError, Problem, TFLITE_HASH, hex};

/// Steps of a uint8 activation.
const ACTIVATION_STEPS: f32 = 255.0;
/// Greatest int8 weight; -128 is left out, so that the range is the same on both sides of zero.
const WEIGHT_STEPS: f32 = 127.0;
/// Greatest quantised bias, which leaves room for the sum of the products in an int32.
const BIAS_STEPS: f32 = (1 << 30) as f32;

/// Which convolutions run in integers, and the ranges of the activations that they read and write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// From which pictures and how it was made, for people.
    pub about: String,
    /// SHA-256 of the TFLite file that it was measured for.
    pub tflite_sha256: String,
    /// By tensor, the least and the greatest value that are told apart; zero lies between them.
    pub activations: BTreeMap<String, [f32; 2]>,
    /// By the convolutions to quantise, what is added to the bias of each output channel to make up for the mean error of
    /// quantisation; empty = nothing.
    pub convolutions: BTreeMap<String, Vec<f32>>,
}

impl Table {
    /// Reads a table in JSON.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn parse(json: &str) -> Result<Self, Problem> {
        serde_json::from_str(json).map_err(|error| Problem::Table(error.to_string()))
    }
}

/// Quantises a model that [`super::convert`] made; `name` is for messages.
///
/// # Errors
/// When the table is of another network, or contradicts itself or the network.
pub fn quantize(model: &[u8], table: &Table, name: &str) -> Result<Vec<u8>, ImportError> {
    let quantized = ModelProto::decode(model)
        .map_err(|error| Problem::Damaged(format!("it is no ONNX file: {error}")))
        .and_then(|model| quantize_model(model, table));
    match quantized {
        Ok(model) => Ok(model.encode_to_vec()),
        Err(problem) => Err(ImportError { file: name.to_owned(), problem }),
    }
}

fn quantize_model(mut model: ModelProto, table: &Table) -> Result<ModelProto, Problem> {
    let source = model.metadata_props.iter().find(|entry| entry.key == TFLITE_HASH);
    let source = source.map_or("unknown", |entry| &entry.value);
    if source != table.tflite_sha256 {
        return Err(Problem::Table(format!(
            "it was measured for the TFLite file {}, not for {source}: calibrate anew",
            table.tflite_sha256
        )));
    }
    let graph = model.graph.take().ok_or_else(|| Problem::Damaged("it has no graph".to_owned()))?;
    model.graph = Some(Pass::new(&graph, table)?.run()?);
    let content = serde_json::to_vec(table).map_err(|error| Problem::Table(error.to_string()))?;
    let value = hex(&Sha256::digest(content));
    model.metadata_props.push(StringStringEntryProto { key: "quantization_sha256".to_owned(), value });
    Ok(model)
}

/// The tensor that a convolution's result is quantised as: that of the activation behind it, or its own.
///
/// The integers saturate at the ends of their range, and so do what Relu and Clip do.
pub fn convolution_output<'g>(graph: &'g GraphProto, convolution: &'g NodeProto) -> &'g str {
    let output = output(convolution);
    let mut readers = graph.node.iter().filter(|node| node.input.iter().any(|input| input == output));
    match (readers.next(), readers.next()) {
        (Some(reader), None) if matches!(reader.op_type.as_str(), "Clip" | "Relu") => self::output(reader),
        _ => output,
    }
}

fn output(node: &NodeProto) -> &str {
    node.output.first().map_or("", String::as_str)
}

struct Pass<'g> {
    graph: &'g GraphProto,
    table: &'g Table,
    constants: HashMap<&'g str, &'g TensorProto>,
    /// Tensors that a quantised convolution writes, by the name of the value that is quantised.
    written: HashMap<&'g str, &'g str>,
    /// Activations that become part of the quantised convolution before them.
    absorbed: BTreeSet<&'g str>,
    /// Scale of each tensor that was quantised so far.
    scales: HashMap<&'g str, f32>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl<'g> Pass<'g> {
    fn new(graph: &'g GraphProto, table: &'g Table) -> Result<Self, Problem> {
        let constants: HashMap<_, _> =
            graph.initializer.iter().map(|constant| (constant.name.as_str(), constant)).collect();
        let (mut written, mut absorbed) = (HashMap::new(), BTreeSet::new());
        for name in table.convolutions.keys() {
            let convolution =
                (graph.node.iter())
                    .find(|node| node.name == *name && node.op_type == "Conv")
                    .ok_or_else(|| Problem::Table(format!("the network has no convolution {name}")))?;
            let tensor = convolution_output(graph, convolution);
            if tensor != output(convolution) {
                absorbed.insert(tensor);
            }
            written.insert(tensor, output(convolution));
        }
        let pass = Self {
            graph,
            table,
            constants,
            written,
            absorbed,
            scales: HashMap::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
        };
        for node in &graph.node {
            if pass.absorbed.contains(output(node)) {
                pass.check_saturation(node)?;
            }
        }
        Ok(pass)
    }

    fn run(mut self) -> Result<GraphProto, Problem> {
        let graph = self.graph;
        for node in &graph.node {
            if self.absorbed.contains(output(node)) {
                continue;
            }
            if let Some(correction) = self.table.convolutions.get(&node.name) {
                self.convolution(node, correction)?;
                continue;
            }
            let mut node = node.clone();
            for input in &mut node.input {
                if self.written.contains_key(input.as_str()) {
                    *input = dequantized(input);
                }
            }
            self.nodes.push(node);
        }
        if let Some(unused) =
            self.table.activations.keys().find(|name| !self.scales.contains_key(name.as_str()))
        {
            return Err(Problem::Table(format!(
                "it has a range for {unused}, which no quantised convolution reads or writes"
            )));
        }
        let used: BTreeSet<&str> =
            self.nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
        let kept = graph.initializer.iter().filter(|constant| used.contains(constant.name.as_str()));
        Ok(GraphProto {
            initializer: kept.chain(&self.initializers).cloned().collect(),
            node: self.nodes,
            name: graph.name.clone(),
            input: graph.input.clone(),
            output: graph.output.clone(),
        })
    }

    fn convolution(&mut self, node: &'g NodeProto, correction: &[f32]) -> Result<(), Problem> {
        let broken = |what: &str| Problem::Damaged(format!("convolution {}: {what}", node.name));
        let [image, weights, bias @ ..] = node.input.as_slice() else {
            return Err(broken("it lacks an input"));
        };
        let dims = &self.constant(weights)?.dims;
        let weights_values = floats(self.constant(weights)?)?;
        let channels = dims.first().and_then(|&count| usize::try_from(count).ok()).unwrap_or(0);
        if channels == 0 || weights_values.is_empty() || !weights_values.len().is_multiple_of(channels) {
            return Err(broken("its weights are not one set for each output channel"));
        }
        let mut bias = match bias.first() {
            Some(bias) => floats(self.constant(bias)?)?,
            None => vec![0.0; channels],
        };
        if bias.len() != channels {
            return Err(broken("its bias is not one value for each output channel"));
        }
        if !correction.is_empty() {
            if correction.len() != channels || correction.iter().any(|value| !value.is_finite()) {
                return Err(Problem::Table(format!(
                    "the corrections of {} are not one number for each of its {channels} output channels",
                    node.name
                )));
            }
            bias.iter_mut().zip(correction).for_each(|(bias, correction)| *bias += correction);
        }

        let image_scale = self.quantize(image)?;
        let mut integers = Vec::with_capacity(weights_values.len());
        let mut scales = Vec::with_capacity(channels);
        for (weights, bias) in weights_values.chunks_exact(weights_values.len() / channels).zip(&bias) {
            let scale = weight_scale(weights, *bias, image_scale);
            integers.extend(weights.iter().map(|weight| (weight / scale).round() as i8 as u8));
            scales.push(scale);
        }
        let bias_scales: Vec<f32> = scales.iter().map(|scale| scale * image_scale).collect();
        let bias_integers = bias
            .iter()
            .zip(&bias_scales)
            .flat_map(|(bias, scale)| ((bias / scale).round() as i32).to_le_bytes());
        let (weights_name, bias_name) = (format!("{}_weights", node.name), format!("{}_bias", node.name));
        self.integers(&weights_name, dims, onnx::INT8, integers, &scales, vec![0; channels]);
        self.integers(
            &bias_name,
            &[channels as i64],
            onnx::INT32,
            bias_integers.collect(),
            &bias_scales,
            vec![0; channels * size_of::<i32>()],
        );
        self.nodes.push(NodeProto {
            input: vec![dequantized(image), dequantized(&weights_name), dequantized(&bias_name)],
            ..node.clone()
        });
        self.quantize(convolution_output(self.graph, node))?;
        Ok(())
    }

    /// Constant integers and the node that turns them into floats, with one scale and zero point an output channel.
    fn integers(
        &mut self,
        name: &str,
        dims: &[i64],
        data_type: i32,
        raw_data: Vec<u8>,
        scales: &[f32],
        zeros: Vec<u8>,
    ) {
        let inputs = [quantized(name), format!("{name}_scale"), format!("{name}_zero")];
        let channels = [scales.len() as i64];
        self.initializers.extend([
            TensorProto { dims: dims.to_vec(), data_type, name: inputs[0].clone(), raw_data },
            TensorProto::floats(&inputs[1], &channels, scales),
            TensorProto { dims: channels.to_vec(), data_type, name: inputs[2].clone(), raw_data: zeros },
        ]);
        self.node(
            "DequantizeLinear",
            inputs.to_vec(),
            dequantized(name),
            vec![AttributeProto::int("axis", 0)],
        );
    }

    /// Puts an activation's quantised and dequantised values into the graph, once, and gives its scale.
    fn quantize(&mut self, tensor: &'g str) -> Result<f32, Problem> {
        if let Some(&scale) = self.scales.get(tensor) {
            return Ok(scale);
        }
        let [low, high] = self.range(tensor)?;
        let scale = (high - low) / ACTIVATION_STEPS;
        let zero = (-low / scale).round() as u8;
        let (scale_name, zero_name) = (format!("{tensor}_scale"), format!("{tensor}_zero"));
        self.initializers.extend([
            TensorProto::floats(&scale_name, &[], &[scale]),
            TensorProto {
                dims: Vec::new(),
                data_type: onnx::UINT8,
                name: zero_name.clone(),
                raw_data: vec![zero],
            },
        ]);
        let value = self.written.get(tensor).copied().unwrap_or(tensor).to_owned();
        let parameters = [scale_name, zero_name];
        let inputs = |first: String| [&[first][..], &parameters].concat();
        self.node("QuantizeLinear", inputs(value), quantized(tensor), Vec::new());
        self.node("DequantizeLinear", inputs(quantized(tensor)), dequantized(tensor), Vec::new());
        self.scales.insert(tensor, scale);
        Ok(scale)
    }

    fn node(&mut self, operator: &str, input: Vec<String>, output: String, attribute: Vec<AttributeProto>) {
        let (name, op_type) = (format!("make_{output}"), operator.to_owned());
        self.nodes.push(NodeProto { input, output: vec![output], name, op_type, attribute });
    }

    fn range(&self, tensor: &str) -> Result<[f32; 2], Problem> {
        let &[low, high] = (self.table.activations.get(tensor))
            .ok_or_else(|| Problem::Table(format!("it has no range for {tensor}")))?;
        // Zero must be a level of its own, as it is what convolutions pad with.
        if low <= 0.0
            && high >= 0.0
            && (high - low) / ACTIVATION_STEPS >= f32::MIN_POSITIVE
            && (high - low).is_finite()
        {
            Ok([low, high])
        } else {
            Err(Problem::Table(format!("the range of {tensor}, {low} to {high}, is none that contains 0")))
        }
    }

    /// An activation is left to the integers' saturation only if they do not reach beyond its ends.
    fn check_saturation(&self, node: &NodeProto) -> Result<(), Problem> {
        let (least, greatest) = match (node.op_type.as_str(), node.input.as_slice()) {
            ("Clip", [_, least, greatest]) => {
                (floats(self.constant(least)?)?, floats(self.constant(greatest)?)?)
            }
            _ => (vec![0.0], vec![f32::INFINITY]),
        };
        let [low, high] = self.range(output(node))?;
        match (least.as_slice(), greatest.as_slice()) {
            (&[least], &[greatest]) if low >= least && high <= greatest => Ok(()),
            _ => Err(Problem::Table(format!(
                "the range of {}, {low} to {high}, is wider than its {} allows",
                output(node),
                node.op_type
            ))),
        }
    }

    fn constant(&self, name: &str) -> Result<&'g TensorProto, Problem> {
        self.constants
            .get(name)
            .copied()
            .ok_or_else(|| Problem::Damaged(format!("{name} is no constant of the network")))
    }
}

/// Scale of one output channel's weights. That of its bias is this times the image's, and the bias must fit, which matters
/// for channels whose weights are all next to zero.
fn weight_scale(weights: &[f32], bias: f32, image_scale: f32) -> f32 {
    let greatest = weights.iter().fold(0.0_f32, |greatest, weight| greatest.max(weight.abs()));
    (greatest / WEIGHT_STEPS).max(bias.abs() / image_scale / BIAS_STEPS).max(f32::MIN_POSITIVE / f32::EPSILON)
}

fn quantized(name: &str) -> String {
    format!("{name}_quantized")
}

/// Name of the value that stands for a tensor of the float network after quantisation.
pub fn dequantized(tensor: &str) -> String {
    format!("{tensor}_dequantized")
}

fn floats(constant: &TensorProto) -> Result<Vec<f32>, Problem> {
    let (values, rest) = constant.raw_data.as_chunks::<4>();
    if constant.data_type != onnx::FLOAT || !rest.is_empty() {
        return Err(Problem::Damaged(format!("{} holds no float32 values", constant.name)));
    }
    Ok(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

#[cfg(test)]
mod tests;
