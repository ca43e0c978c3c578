//! What convolutions read of their input, as far as rows go: all that the order of the layers depends on.

/// What a row of a convolution's result reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowWindow {
    /// Rows.
    pub(crate) rows: usize,
    /// Rows from one window to the next.
    pub(crate) stride: usize,
    /// Rows above the feature map at which the first window begins.
    pub(crate) padding: usize,
    /// Whether each channel is read for itself.
    pub(crate) depthwise: bool,
}
