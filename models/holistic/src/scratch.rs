//! Buffers of the networks' inputs and outputs: one set per thread, not per stream, as only the streams that hold an
//! inference slot use them.

use std::cell::RefCell;

/// Values of the largest input: a pose or re-crop tensor.
const TENSOR: usize = 256 * 256 * 3;
/// Values of the largest output: the pose's heatmaps.
const LARGE: usize = 64 * 64 * 39;
/// Values of the largest second output: the scores of the pose detector's anchors.
const SMALL: usize = 2254;

/// One thread's buffers. They hold anything when a frame comes to them.
pub(crate) struct Scratch {
    /// A network's input.
    pub tensor: Vec<f32>,
    /// A network's larger output.
    pub large: Vec<f32>,
    /// A network's smaller output.
    pub small: Vec<f32>,
}

/// Lends this thread's buffers to `work`, which must not call this again.
pub(crate) fn with<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
            tensor: vec![0.0; TENSOR],
            large: vec![0.0; LARGE],
            small: vec![0.0; SMALL],
        });
    }
    SCRATCH.with_borrow_mut(work)
}
