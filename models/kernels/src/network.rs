//! A network in memory, and its runs.

use std::ops::Range;

use crate::cancel::{Cancel, Cancelled};
use crate::feature_map::FeatureMap;
use crate::layer::Layer;
use crate::memory::Values;
use crate::plan::{LONGEST_STRIP, Plan, Strip};
use crate::planner::Output;
use crate::problem::Problem;
use crate::processor::{Arch, Instructions};
use crate::tflite::{self, Model};
use crate::{dense, depthwise, pool, resize, sum};

/// An input or output of a network: float32, row-major, channels last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name in the file.
    pub name: String,
    /// Lengths of its dimensions, outermost first.
    pub shape: Vec<usize>,
}

impl Tensor {
    /// Values in it.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A run gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It was ended on purpose.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// There are more or fewer tensors than the network has.
    #[error("{expected} inputs and outputs make a run, {found} were given")]
    Count {
        /// Inputs and outputs of the network.
        expected: usize,
        /// Those given.
        found: usize,
    },
    /// A tensor of the caller does not have the network's size.
    #[error("{tensor} takes {expected} values, {found} were given")]
    Shape {
        /// The input or output.
        tensor: String,
        /// Values it holds.
        expected: usize,
        /// Values given.
        found: usize,
    },
}

/// A network that any number of threads run at the same time.
#[derive(Debug)]
pub struct Network {
    pub(crate) plan: Plan,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    arch: Arch,
}

impl Network {
    /// A TFLite file's network without the outputs of the given indices, and what only they need.
    ///
    /// # Errors
    /// [`Problem`] if the processor lacks the vectors of the kernels, or the file is damaged or has operators that there are no
    /// kernels for.
    pub fn new(tflite: &[u8], pruned_outputs: &[usize]) -> Result<Self, Problem> {
        Self::new_on(Instructions::fastest()?, tflite, pruned_outputs)
    }

    /// As [`Network::new`], on other instructions than the processor's fastest ones.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn new_on(
        instructions: Instructions,
        tflite: &[u8],
        pruned_outputs: &[usize],
    ) -> Result<Self, Problem> {
        let arch = instructions.arch()?;
        let file = tflite::File::new(tflite);
        let model = Model::parse(&file)?;
        let plan = Plan::new(&model, pruned_outputs, lanes(arch))?;
        let info = |tensors: &[usize]| {
            let tensors = tensors.iter().map(|&tensor| &model.tensors[tensor]);
            tensors
                .map(|tensor: &tflite::Tensor<'_>| Tensor {
                    name: tensor.name.clone(),
                    shape: tensor.shape.clone(),
                })
                .collect()
        };
        Ok(Self {
            plan,
            inputs: info(&model.inputs),
            outputs: info(&model.kept_outputs(pruned_outputs)?),
            arch,
        })
    }

    /// What [`Network::run`] reads, in its order.
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    /// What [`Network::run`] writes, in its order.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// Runs the network once, on the thread that calls. Slices are whole tensors of the sizes of [`Self::inputs`] and
    /// [`Self::outputs`]. Any number of threads may do so at the same time.
    ///
    /// # Errors
    /// [`RunError::Cancelled`] if `cancel` was or gets cancelled: the run then ends after the channels that it is at, some
    /// tens of microseconds later, and the outputs hold anything. [`RunError`] if a tensor has the wrong size.
    pub fn run(
        &self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        cancel: &Cancel,
    ) -> Result<(), RunError> {
        self.check(inputs, outputs)?;
        let mut values = Values::take(self.plan.values);
        let values = &mut values.0;
        for (&map, input) in self.plan.inputs.iter().zip(inputs) {
            let map = &self.plan.maps[map];
            write(map, input, &mut values[map.place()]);
        }
        for strip in &self.plan.strips {
            self.strip(strip, values, cancel)?;
        }
        // A layer that was cancelled left its feature map unfinished.
        if cancel.is_cancelled() {
            return Err(Cancelled.into());
        }
        for (output, to) in self.plan.outputs.iter().zip(outputs) {
            self.read(output, values, to);
        }
        Ok(())
    }

    /// Checks that every tensor is there, and whole.
    fn check(&self, inputs: &[&[f32]], outputs: &[&mut [f32]]) -> Result<(), RunError> {
        let tensors = self.inputs.iter().chain(&self.outputs);
        let given = inputs.iter().map(|slice| slice.len()).chain(outputs.iter().map(|slice| slice.len()));
        if inputs.len() != self.inputs.len() || outputs.len() != self.outputs.len() {
            return Err(RunError::Count { expected: tensors.count(), found: given.count() });
        }
        for (tensor, found) in tensors.zip(given) {
            let expected = tensor.values();
            if found != expected {
                return Err(RunError::Shape { tensor: tensor.name.clone(), expected, found });
            }
        }
        Ok(())
    }

    /// Runs the layers of a strip, each for as many rows as the next one needs.
    fn strip(&self, strip: &Strip, values: &mut [f32], cancel: &Cancel) -> Result<(), Cancelled> {
        let layers = &self.plan.layers[strip.layers.clone()];
        let map = |layer: &Layer| &self.plan.maps[layer.output()];
        for map in layers.iter().map(map) {
            map.clear_padding(&mut values[map.place()]);
        }
        let height = layers.last().map_or(0, |layer| map(layer).height);
        // Rows of each layer's feature map that are there, and that are needed; those below the feature map are padding.
        let mut done = [0; LONGEST_STRIP];
        let mut needed = [0; LONGEST_STRIP];
        for start in (0..height).step_by(strip.rows) {
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            let mut rows = (start + strip.rows).min(height);
            for (layer, needed) in layers.iter().zip(&mut needed).rev() {
                *needed = rows;
                if let Some(window) = layer.window() {
                    rows = ((rows - 1) * window.stride + window.rows).saturating_sub(window.padding);
                }
            }
            for ((layer, done), needed) in layers.iter().zip(&mut done).zip(needed) {
                let map = map(layer);
                if map.kept.is_some() {
                    let below = needed.min(map.height).max(*done)..needed.max(*done);
                    map.clear_rows(
                        &mut values[map.place()],
                        map.padding.top + below.start..map.padding.top + below.end,
                    );
                }
                let rows = *done..needed.min(map.height);
                if !rows.is_empty() {
                    self.layer(layer, values, rows, cancel);
                }
                *done = needed.max(*done);
            }
        }
        Ok(())
    }

    pub(crate) fn layer(&self, layer: &Layer, values: &mut [f32], rows: Range<usize>, cancel: &Cancel) {
        let map = &self.plan.maps[layer.output()];
        let (before, rest) = values.split_at_mut(map.first);
        let (output, after) = rest.split_at_mut(map.len());
        let end = map.place().end;
        let output = (map, output);
        // What a layer reads lies before or after what it writes.
        let map = |map: usize| {
            let map = &self.plan.maps[map];
            let place = map.place();
            let values =
                if place.start < end { &before[place] } else { &after[place.start - end..place.end - end] };
            (map, values)
        };
        match layer {
            Layer::Dense(layer) => self.arch.dispatch(dense::Run {
                layer,
                input: map(layer.input),
                residual: layer.epilogue.residual.map(map),
                output,
                rows,
                cancel,
            }),
            Layer::Depthwise(layer) => {
                self.arch.dispatch(depthwise::Run { layer, input: map(layer.input), output, rows, cancel });
            }
            Layer::Sum(layer) => self.arch.dispatch(sum::Run {
                layer,
                input: map(layer.input),
                other: layer.other.map(map),
                output,
            }),
            Layer::MaxPool(layer) => {
                self.arch.dispatch(pool::MaxRun { layer, input: map(layer.input), output });
            }
            Layer::Mean(layer) => {
                self.arch.dispatch(pool::MeanRun { input: map(layer.input), output });
            }
            Layer::Resize(layer) => {
                self.arch.dispatch(resize::Run { layer, input: map(layer.input), output });
            }
            Layer::Crop(layer) => layer.run(map(layer.input), output),
            Layer::DepthToSpace(layer) => layer.run(map(layer.input), output),
        }
    }

    /// Writes an output as the TFLite file has it.
    fn read(&self, output: &Output, all: &[f32], mut values: &mut [f32]) {
        for &map in &output.maps {
            let map = &self.plan.maps[map];
            let buffer = &all[map.place()];
            let (own, rest) = values.split_at_mut(map.height * map.width * map.channels);
            for block in 0..map.blocks() {
                let channels = block * map.block..map.channels.min((block + 1) * map.block);
                for (pixel, values) in own.chunks_exact_mut(map.channels).enumerate() {
                    let from = map.at_in(block, pixel / map.width, pixel % map.width);
                    values[channels.clone()].copy_from_slice(&buffer[from..from + channels.len()]);
                }
            }
            if output.logistic {
                for value in own {
                    *value = (1.0 / (1.0 + f64::from(-*value).exp())) as f32;
                }
            }
            values = rest;
        }
    }
}

/// Values in a vector.
pub(crate) fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// Writes an input into its feature map.
fn write(map: &FeatureMap, values: &[f32], to: &mut [f32]) {
    map.clear_padding(to);
    let row = map.width * map.channels;
    for (y, values) in values.chunks_exact(row).enumerate() {
        to[map.at(y, 0)..][..row].copy_from_slice(values);
    }
}
