//! Convolutional networks from TFLite files, computed as the TFLite runtime computes them.
//!
//! MediaPipe's networks are chains of 1 x 1 and depthwise convolutions. Their results are those of TFLite's kernels
//! (XNNPACK) to the last bit: a sum begins with the bias and goes through a window one fused multiplication after the
//! other. Pictures are made of planes with the channels of a vector each, so that what a window reads lies close together;
//! borders of zeros are part of a picture, so that no kernel has edges to look after.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "sums stay in registers where they are indexed by what is known when compiling"
)]

mod dense;
mod depthwise;
mod epilogue;
mod half;
mod image;
mod plan;
mod pool;
mod rearrange;
mod resize;
mod sum;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use aligned_vec::AVec;
use pulp::Arch;

use crate::runtime::{Cancel, Cancelled, TensorInfo};
use crate::tflite::{Model, Result};

use image::Image;
use plan::{LONGEST_STRIP, Output, Plan, Step, Strip};

/// Bytes in a line of a processor's caches: no vector lies across two of them.
const CACHE_LINE: usize = 64;
const CACHE_LINE_VALUES: usize = CACHE_LINE / size_of::<f32>();

/// A network that any number of threads run at the same time.
#[derive(Debug)]
pub(crate) struct Convnet {
    plan: Plan,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    arch: Arch,
}

/// Whether this processor has vectors with fused multiplications. Without, they are computed in software, and take
/// far too long.
pub(crate) fn is_fast() -> bool {
    !matches!(Arch::new(), Arch::Scalar)
}

impl Convnet {
    /// A TFLite file's network without the outputs of the given indices.
    pub(crate) fn new(tflite: &[u8], pruned_outputs: &[usize]) -> Result<Self> {
        Self::for_arch(Arch::new(), tflite, pruned_outputs)
    }

    fn for_arch(arch: Arch, tflite: &[u8], pruned_outputs: &[usize]) -> Result<Self> {
        let model = Model::parse(tflite)?;
        let plan = Plan::new(&model, pruned_outputs, lanes(arch))?;
        let info = |tensors: &[usize]| {
            let tensors = tensors.iter().map(|&tensor| &model.tensors[tensor]);
            tensors
                .map(|tensor| TensorInfo {
                    name: tensor.name.clone(),
                    shape: tensor.shape.iter().map(|&length| length as i64).collect(),
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

    pub(crate) fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    pub(crate) fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Runs the network once. Slices are whole tensors of the sizes of [`Self::inputs`] and [`Self::outputs`].
    ///
    /// # Errors
    /// [`Cancelled`] if `cancel` was or gets cancelled; the run then ends after the channels that it is at.
    pub(crate) fn run(
        &self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        cancel: &Cancel,
    ) -> std::result::Result<(), Cancelled> {
        let mut values = Values::take(self.plan.values);
        let values = &mut values.0;
        for (&image, input) in self.plan.inputs.iter().zip(inputs) {
            let image = &self.plan.images[image];
            write(image, input, &mut values[image.place()]);
        }
        for strip in &self.plan.strips {
            self.strip(strip, values, cancel)?;
        }
        // A layer that was cancelled left its picture unfinished.
        if cancel.is_cancelled() {
            return Err(Cancelled);
        }
        for (output, to) in self.plan.outputs.iter().zip(outputs) {
            self.read(output, values, to);
        }
        Ok(())
    }

    /// Runs the steps of a strip, each for as many rows as the next one needs.
    fn strip(
        &self,
        strip: &Strip,
        values: &mut [f32],
        cancel: &Cancel,
    ) -> std::result::Result<(), Cancelled> {
        let steps = &self.plan.steps[strip.steps.clone()];
        let image = |step: &Step| &self.plan.images[step.output()];
        for image in steps.iter().map(image) {
            image.clear_border(&mut values[image.place()]);
        }
        let height = steps.last().map_or(0, |step| image(step).height);
        // Rows of each step's picture that are there, and that are needed; those below the picture are border.
        let mut done = [0; LONGEST_STRIP];
        let mut needed = [0; LONGEST_STRIP];
        for start in (0..height).step_by(strip.rows) {
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            let mut rows = (start + strip.rows).min(height);
            for (step, needed) in steps.iter().zip(&mut needed).rev() {
                *needed = rows;
                if let Some(window) = step.window() {
                    rows = ((rows - 1) * window.down + window.rows).saturating_sub(window.above);
                }
            }
            for ((step, done), needed) in steps.iter().zip(&mut done).zip(needed) {
                let image = image(step);
                if image.kept.is_some() {
                    let below = needed.min(image.height).max(*done)..needed.max(*done);
                    image.clear_rows(
                        &mut values[image.place()],
                        image.border.top + below.start..image.border.top + below.end,
                    );
                }
                let rows = *done..needed.min(image.height);
                if !rows.is_empty() {
                    self.step(step, values, rows, cancel);
                }
                *done = needed.max(*done);
            }
        }
        Ok(())
    }

    fn step(&self, step: &Step, values: &mut [f32], rows: Range<usize>, cancel: &Cancel) {
        let image = &self.plan.images[step.output()];
        let (before, rest) = values.split_at_mut(image.first);
        let (output, after) = rest.split_at_mut(image.len());
        let end = image.place().end;
        let output = (image, output);
        // What a step reads lies before or after what it writes.
        let picture = |image: usize| {
            let image = &self.plan.images[image];
            let place = image.place();
            let values =
                if place.start < end { &before[place] } else { &after[place.start - end..place.end - end] };
            (image, values)
        };
        match step {
            Step::Dense(layer) => self.arch.dispatch(dense::Run {
                layer,
                input: picture(layer.input),
                residual: layer.epilogue.residual.map(picture),
                output,
                rows,
                cancel,
            }),
            Step::Depthwise(layer) => self.arch.dispatch(depthwise::Run {
                layer,
                input: picture(layer.input),
                output,
                rows,
                cancel,
            }),
            Step::Sum(layer) => self.arch.dispatch(sum::Run {
                layer,
                input: picture(layer.input),
                other: layer.other.map(picture),
                output,
            }),
            Step::MaxPool(layer) => {
                self.arch.dispatch(pool::MaxRun { layer, input: picture(layer.input), output });
            }
            Step::Mean(layer) => {
                self.arch.dispatch(pool::MeanRun { input: picture(layer.input), output });
            }
            Step::Resize(layer) => {
                self.arch.dispatch(resize::Run { layer, input: picture(layer.input), output });
            }
            Step::Crop(layer) => layer.run(picture(layer.input), output),
            Step::DepthToSpace(layer) => layer.run(picture(layer.input), output),
        }
    }

    /// Writes an output as the TFLite file has it.
    fn read(&self, output: &Output, all: &[f32], mut values: &mut [f32]) {
        for &picture in &output.pictures {
            let image = &self.plan.images[picture];
            let buffer = &all[image.place()];
            let (own, rest) = values.split_at_mut(image.height * image.width * image.channels);
            for plane in 0..image.planes() {
                let channels = plane * image.block..image.channels.min((plane + 1) * image.block);
                for (pixel, values) in own.chunks_exact_mut(image.channels).enumerate() {
                    let from = image.at_in(plane, pixel / image.width, pixel % image.width);
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

/// The values from the start of a cache line on.
fn aligned(values: &[f32]) -> AVec<f32> {
    AVec::from_slice(CACHE_LINE, values)
}

/// Values in a vector.
fn lanes(arch: Arch) -> usize {
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

/// Writes an input into its picture.
fn write(image: &Image, values: &[f32], to: &mut [f32]) {
    image.clear_border(to);
    let row = image.width * image.channels;
    for (y, values) in values.chunks_exact(row).enumerate() {
        to[image.at(y, 0)..][..row].copy_from_slice(values);
    }
}

/// What lies between the layers of a run. All networks use the same ones in turn, as many as there are runs at the same
/// time.
struct Values(AVec<f32>);

static VALUES: Mutex<Vec<Values>> = Mutex::new(Vec::new());

impl Values {
    /// At least so many.
    fn take(length: usize) -> Self {
        let spare = VALUES.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(values) if values.0.len() >= length => values,
            // A new one, as what lies in the old one need not be kept.
            _ => Self(AVec::from_iter(CACHE_LINE, std::iter::repeat_n(0.0, length))),
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let values = Self(std::mem::replace(&mut self.0, AVec::new(CACHE_LINE)));
        VALUES.lock().unwrap_or_else(PoisonError::into_inner).push(values);
    }
}
