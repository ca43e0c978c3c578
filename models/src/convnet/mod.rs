//! Convolutional networks from TFLite files, computed as the TFLite runtime computes them.
//!
//! MediaPipe's networks are chains of 1 x 1 and depthwise convolutions. Their results are those of TFLite's kernels
//! (XNNPACK) to the last bit: a sum begins with the bias and goes through a window one fused multiplication after the
//! other. Pictures keep channels last, so that what a window reads of a row lies side by side; channels are rounded up to
//! whole vectors, and borders of zeros are part of a picture, so that no kernel has edges to look after.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "sums stay in registers where they are indexed by what is known when compiling"
)]

mod dense;
mod depthwise;
mod epilogue;
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
    /// [`Cancelled`] if `cancel` was or gets cancelled; the run then ends after the rows that it is at.
    pub(crate) fn run(
        &self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        cancel: &Cancel,
    ) -> std::result::Result<(), Cancelled> {
        let mut buffers = Buffers::take(&self.plan.buffers);
        for (&image, values) in self.plan.inputs.iter().zip(inputs) {
            let image = &self.plan.images[image];
            write(image, values, &mut buffers.0[image.buffer]);
        }
        for strip in &self.plan.strips {
            self.strip(strip, &mut buffers, cancel)?;
        }
        for (output, values) in self.plan.outputs.iter().zip(outputs) {
            self.read(output, &buffers, values);
        }
        Ok(())
    }

    /// Runs the steps of a strip, each for as many rows as the next one needs.
    fn strip(
        &self,
        strip: &Strip,
        buffers: &mut Buffers,
        cancel: &Cancel,
    ) -> std::result::Result<(), Cancelled> {
        let steps = &self.plan.steps[strip.steps.clone()];
        let image = |step: &Step| &self.plan.images[step.output()];
        for image in steps.iter().map(image) {
            image.clear_border(&mut buffers.0[image.buffer]);
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
                let values = &mut buffers.0[image.buffer];
                let mut values = std::mem::replace(values, AVec::new(CACHE_LINE));
                if image.kept.is_some() {
                    let below = needed.min(image.height).max(*done)..needed.max(*done);
                    image.clear_rows(
                        &mut values,
                        image.border.top + below.start..image.border.top + below.end,
                    );
                }
                let rows = *done..needed.min(image.height);
                if !rows.is_empty() {
                    self.step(step, buffers, (image, &mut values), rows);
                }
                *done = needed.max(*done);
                buffers.0[image.buffer] = values;
            }
        }
        Ok(())
    }

    fn step(&self, step: &Step, buffers: &Buffers, output: (&Image, &mut [f32]), rows: Range<usize>) {
        let picture = |image: usize| {
            let image = &self.plan.images[image];
            (image, buffers.0[image.buffer].as_slice())
        };
        match step {
            Step::Dense(layer) => self.arch.dispatch(dense::Run {
                layer,
                input: picture(layer.input),
                residual: layer.epilogue.residual.map(picture),
                output,
                rows,
            }),
            Step::Depthwise(layer) => {
                self.arch.dispatch(depthwise::Run { layer, input: picture(layer.input), output, rows });
            }
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
                self.arch.dispatch(pool::MeanRun { input: picture(layer.input), output: output.1 });
            }
            Step::Resize(layer) => {
                self.arch.dispatch(resize::Run { input: picture(layer.input), output });
            }
            Step::Crop(layer) => layer.run(picture(layer.input), output),
            Step::DepthToSpace(layer) => layer.run(picture(layer.input), output),
        }
    }

    /// Writes an output as the TFLite file has it.
    fn read(&self, output: &Output, buffers: &Buffers, mut values: &mut [f32]) {
        for &picture in &output.pictures {
            let image = &self.plan.images[picture];
            let buffer = &buffers.0[image.buffer];
            let (own, rest) = values.split_at_mut(image.height * image.width * image.channels);
            for (pixel, channels) in own.chunks_exact_mut(image.channels).enumerate() {
                let from = image.at(pixel / image.width, pixel % image.width);
                channels.copy_from_slice(&buffer[from..from + image.channels]);
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
fn write(image: &Image, values: &[f32], buffer: &mut [f32]) {
    image.clear_border(buffer);
    let row = image.width * image.channels;
    for (y, values) in values.chunks_exact(row).enumerate() {
        buffer[image.at(y, 0)..][..row].copy_from_slice(values);
    }
}

/// What lies between the layers of a run. All networks use the same ones in turn, as many sets as there are runs at the
/// same time.
struct Buffers(Vec<AVec<f32>>);

static BUFFERS: Mutex<Vec<Buffers>> = Mutex::new(Vec::new());

impl Buffers {
    /// Buffers of at least these lengths.
    fn take(lengths: &[usize]) -> Self {
        let spare = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Made only if there is none: one that is dropped joins the others.
        let mut buffers = spare.unwrap_or_else(|| Self(Vec::new()));
        if buffers.0.len() < lengths.len() {
            buffers.0.resize_with(lengths.len(), || AVec::new(CACHE_LINE));
        }
        for (buffer, &length) in buffers.0.iter_mut().zip(lengths) {
            if buffer.len() < length {
                // A new one, as what lies in the old one need not be kept.
                *buffer = AVec::from_iter(CACHE_LINE, std::iter::repeat_n(0.0, length));
            }
        }
        buffers
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        let buffers = Self(std::mem::take(&mut self.0));
        BUFFERS.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }
}
