#![doc = include_str!("../README.md")]
//!
//! # The order of sums
//!
//! Float32 sums depend on their order, and the tracker's loop of region, 8-bit crop and landmarks makes tenths of a pixel of one
//! bit. So every sum is computed in the order of XNNPACK's kernels, on which the TFLite runtime computes these networks:
//!
//! - a dense convolution begins with the bias and goes through rows, columns and input channels of its window, one fused
//!   multiplication and addition after the other;
//! - a depthwise convolution begins with the bias and goes through columns, then rows;
//! - one with a window of 1 x 1, and the enlargement of heatmaps, multiply and add in two roundings.
//!
//! No sum is split over lanes of a vector: a vector is the same sum of several output channels. So the results are the same
//! whatever the vectors' width.
//!
//! # Feature maps
//!
//! A feature map has the channels-blocked layout (NCHWc): blocks of as many channels as a vector has lanes, each a plane of rows
//! of pixels. What a window reads of a block lies close together, and a block's pixel is one vector. Zeros fill the last block
//! up. The zeros of a convolution's padding are part of its input's feature map, so that no kernel looks after edges, and
//! windows are read where they lie: nothing is copied into columns first (im2col-free).
//!
//! All feature maps of a run share one block of memory, each as far in front as it fits while it is needed, so that layers of a
//! kind use the same values in turn, which the caches still hold. Convolutions that follow each other run some rows at a time
//! where the feature maps between them are larger than a core's cache.
//!
//! # Tiles
//!
//! The weights of a dense convolution lie in panels: those of two or three vectors of output channels, in the order in which
//! they are read. A tile is what is computed at once: the output channels of a panel at some pixels. It needs a register for each
//! of its sums, one for each vector of weights, and one for the input value; and at least ten sums, since a processor begins two
//! fused multiplications a cycle and each takes four to five cycles. With the 16 registers of AVX2 a tile has at most 5 pixels of 2
//! vectors, 3 of 3 or 8 of one; with the 32 of AVX-512 13 of 2, 8 of 3 or 14 of one, since the more pixels share a weight, the
//! less is read for a multiplication: for 26 of them two vectors of weights and 13 values. `dense.rs` says why not more. While the
//! first tiles of a panel are computed, the next panel is fetched from memory.
//!
//! Pixels go through all panels in parts of 24 to 192, so that what their windows read, up to 60,000 values, stays in a core's
//! own cache meanwhile.
//!
//! Vectors of 16 channels waste what a layer does not fill. Weights are read for whole groups of 8 input channels, not for all 16
//! of a block; and where the last 8 channels of a layer's output have a vector to themselves, half of it is computed
//! (`half_vector.rs`), which a processor that splits such vectors does in half the time.
//!
//! What a layer class reaches of a core's peak, on the machine at hand: `cargo bench --package dactyl-kernels`.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "sums stay in registers where they are indexed by what is known when compiling"
)]

mod arithmetic;
mod cancel;
mod dense;
mod depthwise;
mod epilogue;
mod feature_map;
mod half_vector;
mod layer;
#[doc(hidden)]
pub mod measure;
mod memory;
mod network;
mod plan;
mod planner;
mod pool;
mod problem;
mod processor;
mod rearrange;
mod resize;
mod row_window;
mod sum;
#[cfg(test)]
mod tests;
mod tflite;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use cancel::{Cancel, Cancelled, OnCancel};
pub use network::{Network, RunError, Tensor};
pub use problem::Problem;
pub use processor::{Instructions, UnsupportedProcessor};
