//! What layers read of their input.

/// What a row of a convolution's result reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Rows.
    pub(crate) rows: usize,
    /// Rows from one window to the next.
    pub(crate) down: usize,
    /// Rows above the feature map at which the first window begins.
    pub(crate) above: usize,
    pub(crate) depthwise: bool,
}
