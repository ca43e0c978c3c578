//! The compiler's frame: which operators are needed, where each tensor's value is, and in which layout.

use std::collections::HashMap;

use super::graph::{Graph, dimensions};
use super::onnx::{AttributeProto, GraphProto};
use super::spare::wanted_channels;

use super::Options;
use crate::tflite::settings::Border;
use crate::tflite::{Constants, Model, Operator, Problem, Result, elements};

/// Translates the part of a model that its kept outputs need.
pub(super) fn compile(model: &Model<'_>, options: &Options) -> Result<GraphProto> {
    let outputs = model.kept_outputs(&options.pruned_outputs)?;
    let needed = model.needed_operators(&outputs);
    let mut compiler = Compiler {
        model,
        constants: Constants::new(model),
        wanted_channels: wanted_channels(model, &needed),
        graph: Graph::default(),
        places: model.tensors.iter().map(|_| Place::Nowhere).collect(),
        converted: HashMap::new(),
    };
    let mut inputs = Vec::new();
    for &index in &model.inputs {
        let tensor = &model.tensors[index];
        compiler.places[index] = Place::Computed(Value {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            layout: Layout::ChannelsLast,
            border: Border::default(),
            spare: 0,
        });
        inputs.push((tensor.name.clone(), tensor.shape.clone()));
    }
    for (position, operator) in model.operators.iter().enumerate() {
        if needed[position] {
            compiler
                .operator(position, operator)
                .map_err(|problem| problem.in_operator(position, operator))?;
        }
    }
    let mut named = Vec::new();
    for &index in &outputs {
        let tensor = &model.tensors[index];
        let value = compiler.value(index)?;
        let value = compiler.channels_last(&value);
        named.push((tensor.name.clone(), value, tensor.shape.clone()));
    }
    Ok(compiler.graph.finish(&options.name, &inputs, &named))
}

/// Where a tensor's elements are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Not computed (yet), or in the file itself.
    Nowhere,
    /// In the ONNX graph.
    Computed(Value),
}

/// A value of the ONNX graph that stands for a tensor.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: String,
    /// The tensor's shape, channels last, whatever the layout.
    pub(super) shape: Vec<usize>,
    pub(super) layout: Layout,
    /// Zeros that belong to the tensor and are not in the value yet; only tensors of four dimensions have them.
    pub(super) border: Border,
    /// Channels of zeros after the last one that the value has and the tensor has not; only channels-first images have
    /// them.
    pub(super) spare: usize,
}

impl Value {
    /// Batch, height, width, channels of the tensor, border included.
    pub(super) fn image(&self) -> Result<[usize; 4]> {
        self.shape.as_slice().try_into().map_err(|_| {
            Problem::Damaged(format!("its input of shape {:?} is no batch of images", self.shape))
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// As TFLite has it.
    ChannelsLast,
    /// As ONNX has it: batch, channels, height, width.
    ChannelsFirst,
}

pub(super) struct Compiler<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) constants: Constants<'m, 'a>,
    pub(super) graph: Graph,
    /// By tensor, how many channels an image is made with where that is free; 0 = just its own.
    pub(super) wanted_channels: Vec<usize>,
    /// By tensor.
    pub(super) places: Vec<Place>,
    /// Values in another layout or with their border, by how they were made from which value.
    converted: HashMap<(String, String), String>,
}

impl Compiler<'_, '_> {
    /// The computed value of a tensor.
    pub(super) fn value(&self, tensor: usize) -> Result<Value> {
        match &self.places[tensor] {
            Place::Computed(value) => Ok(value.clone()),
            Place::Nowhere => Err(Problem::Damaged(format!(
                "tensor {} is used before anything computes it",
                self.model.tensors[tensor].name
            ))),
        }
    }

    /// Elements of a constant int32 tensor.
    pub(super) fn ints(&self, tensor: usize) -> Result<Vec<i32>> {
        self.model.tensors[tensor].ints()
    }

    /// Records what an operator computes, after checking it against the shape that the file declares.
    pub(super) fn store(&mut self, operator: &Operator<'_>, value: Value) -> Result<()> {
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged(format!(
                "it has {} outputs instead of one",
                operator.outputs.len()
            )));
        };
        let declared = &self.model.tensors[*output].shape;
        if *declared != value.shape || elements(&value.shape).is_none() {
            return Err(Problem::Damaged(format!(
                "it computes the shape {:?}, but the file declares {declared:?}",
                value.shape
            )));
        }
        self.places[*output] = Place::Computed(value);
        Ok(())
    }

    /// Records a value without border and spare channels.
    pub(super) fn store_plain(
        &mut self,
        operator: &Operator<'_>,
        name: String,
        shape: Vec<usize>,
        layout: Layout,
    ) -> Result<()> {
        self.store(operator, Value { name, shape, layout, border: Border::default(), spare: 0 })
    }

    /// Records a channels-first image with spare channels.
    pub(super) fn store_image(
        &mut self,
        operator: &Operator<'_>,
        name: String,
        shape: Vec<usize>,
        spare: usize,
    ) -> Result<()> {
        let layout = Layout::ChannelsFirst;
        self.store(operator, Value { name, shape, layout, border: Border::default(), spare })
    }

    /// The value as TFLite has it, border included.
    pub(super) fn channels_last(&mut self, value: &Value) -> String {
        let name = self.without_spare(value);
        match (value.layout, value.shape.as_slice()) {
            (Layout::ChannelsFirst, &[batch, height, width, channels]) => {
                let shape = [batch, height, width, channels];
                self.convert(name, "channels last", |graph, name| {
                    if height * width == 1 || channels == 1 {
                        reshape(graph, name, &shape)
                    } else {
                        graph.node("Transpose", &[name], vec![AttributeProto::ints("perm", &[0, 2, 3, 1])])
                    }
                })
            }
            _ => name,
        }
    }

    /// The value as ONNX has it, border included. Tensors of other than four dimensions have one layout only.
    pub(super) fn channels_first(&mut self, value: &Value) -> String {
        let name = self.without_spare(value);
        match (value.layout, value.shape.as_slice()) {
            (Layout::ChannelsLast, &[batch, height, width, channels]) => {
                let shape = [batch, channels, height, width];
                self.convert(name, "channels first", |graph, name| {
                    if height * width == 1 || channels == 1 {
                        reshape(graph, name, &shape)
                    } else {
                        graph.node("Transpose", &[name], vec![AttributeProto::ints("perm", &[0, 3, 1, 2])])
                    }
                })
            }
            _ => name,
        }
    }

    /// As [`Self::channels_first`], but with the spare channels.
    pub(super) fn channels_first_and_spare(&mut self, value: &Value) -> String {
        if value.spare == 0 { self.channels_first(value) } else { self.with_border(value) }
    }

    /// The value in its own layout with its border and without spare channels.
    fn without_spare(&mut self, value: &Value) -> String {
        let name = self.with_border(value);
        match (value.spare, value.shape.last()) {
            (1.., Some(&channels)) => self.convert(name, "without spare", |graph, name| {
                let (start, end, axis) =
                    (graph.ints(&[0]), graph.ints(&dimensions(&[channels])), graph.ints(&[1]));
                graph.node("Slice", &[name, &start, &end, &axis], Vec::new())
            }),
            _ => name,
        }
    }

    /// The value in its own layout with its border in it.
    fn with_border(&mut self, value: &Value) -> String {
        let Border { top, left, bottom, right } = value.border;
        if value.border == Border::default() {
            return value.name.clone();
        }
        let pads = match value.layout {
            Layout::ChannelsLast => [0, top, left, 0, 0, bottom, right, 0],
            Layout::ChannelsFirst => [0, 0, top, left, 0, 0, bottom, right],
        };
        let how = format!("border {pads:?}");
        self.convert(value.name.clone(), &how, |graph, name| {
            let pads = graph.ints(&dimensions(&pads));
            graph.node("Pad", &[name, &pads], Vec::new())
        })
    }

    /// Makes another form of a value once, however many operators want it.
    fn convert(&mut self, name: String, how: &str, make: impl FnOnce(&mut Graph, &str) -> String) -> String {
        let key = (name, how.to_owned());
        if let Some(made) = self.converted.get(&key) {
            return made.clone();
        }
        let made = make(&mut self.graph, &key.0);
        self.converted.insert(key, made.clone());
        made
    }
}

/// The same elements in the same order in another shape.
pub(super) fn reshape(graph: &mut Graph, name: &str, shape: &[usize]) -> String {
    let shape = graph.ints(&dimensions(shape));
    graph.node("Reshape", &[name, &shape], Vec::new())
}
