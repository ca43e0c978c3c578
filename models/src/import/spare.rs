//! Which images are made with spare channels: zeros after the last channel that cost nothing.
//!
//! ONNX Runtime's blocked layout rounds channels up to whole blocks anyway, and networks that widen step by step (24,
//! 28, 32 channels) pad an image with zero channels before each addition. An image that its convolution makes with
//! those zeros needs no padding later; and max pooling is only done in the blocked layout when the blocks are whole.

use crate::tflite::Model;

/// Channels in a block of ONNX Runtime's layout on processors with AVX-512; with AVX2 it is half as many.
const BLOCK: usize = 16;

/// By tensor, how many channels its image should be made with, its own included; 0 = no wish.
///
/// Only wishes: what makes an image grants them or not, and what reads one copes with both.
pub(super) fn wanted_channels(model: &Model<'_>, needed: &[bool]) -> Vec<usize> {
    let channels = |tensor: usize| match model.tensors[tensor].shape.as_slice() {
        &[_, _, _, channels] => channels,
        _ => 0,
    };
    let mut wanted = vec![0; model.tensors.len()];
    // From the end to the start, so that all who read an image have spoken before what makes it is asked.
    for (operator, _) in model.operators.iter().zip(needed).rev().filter(|(_, needed)| **needed) {
        let (&[Some(image), ..], &[output]) = (operator.inputs.as_slice(), operator.outputs.as_slice())
        else {
            continue;
        };
        let whole_blocks = channels(image).next_multiple_of(BLOCK);
        let wish = match operator.code {
            // ADD, DEPTHWISE_CONV_2D, RELU, RELU6, RESIZE_BILINEAR, PRELU
            0 | 4 | 19 | 21 | 23 | 54 if channels(image) == channels(output) => wanted[output],
            // MAX_POOL_2D
            17 => wanted[output].max(whole_blocks),
            // PAD; more than the rest of the last block would cost time.
            34 => {
                Some(wanted[output].max(channels(output))).filter(|&wish| wish <= whole_blocks).unwrap_or(0)
            }
            _ => 0,
        };
        wanted[image] = wish.max(wanted[image]);
        if let (0, Some(&Some(other))) = (operator.code, operator.inputs.get(1)) {
            wanted[other] = wish.max(wanted[other]);
        }
    }
    wanted
}
