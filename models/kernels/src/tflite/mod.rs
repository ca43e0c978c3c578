//! Reads TFLite files.

mod constants;
mod flatbuffer;
mod geometry;
mod model;
mod names;
mod op;
mod sparsity;

pub(crate) use constants::Constants;
pub(crate) use flatbuffer::File;
pub(crate) use geometry::{Padding, explicit_padding, slice, window};
pub(crate) use model::{Model, Operator, Tensor, elements};
#[cfg(test)]
pub(crate) use op::PaddingScheme;
pub(crate) use op::{FusedActivation, Op, SliceMasks, Windows};
