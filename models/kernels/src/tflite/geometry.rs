//! The arithmetic of sliding windows, padding and slices.

use std::ops::Range;

use super::op::{PaddingScheme, SliceMasks};
use crate::problem::{Problem, Result};

/// Rows and columns of zeros round a feature map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Padding {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) bottom: usize,
    pub(crate) right: usize,
}

impl std::ops::Add for Padding {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            top: self.top + other.top,
            left: self.left + other.left,
            bottom: self.bottom + other.bottom,
            right: self.right + other.right,
        }
    }
}

/// Length of the result of a sliding window, and the padding before and after: TensorFlow's SAME puts the odd one
/// after, VALID pads nothing.
pub(crate) fn window(
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    scheme: PaddingScheme,
) -> Result<(usize, usize, usize)> {
    let reach = kernel
        .checked_sub(1)
        .map(|steps| steps * dilation + 1)
        .ok_or_else(|| Problem::Damaged("its window is empty".to_owned()))?;
    if scheme == PaddingScheme::Same {
        let count = length.div_ceil(stride);
        let padding = (count.saturating_sub(1) * stride + reach).saturating_sub(length);
        return Ok((count, padding / 2, padding - padding / 2));
    }
    let room = length
        .checked_sub(reach)
        .ok_or_else(|| Problem::Damaged(format!("a window of {reach} does not fit into {length}")))?;
    Ok((room / stride + 1, 0, 0))
}

/// What PAD adds, from its list of zeros before and after along each axis: round the feature map, and after its channels.
pub(crate) fn explicit_padding(pads: &[i32]) -> Result<(Padding, usize)> {
    let pads = pads
        .iter()
        .map(|&pad| usize::try_from(pad).ok().filter(|&pad| pad < 1 << 16))
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default();
    match pads.as_slice() {
        &[0, 0, top, bottom, left, right, 0, channels] => {
            Ok((Padding { top, left, bottom, right }, channels))
        }
        _ => Err(Problem::Damaged(
            "only zeros round the feature map and after the channels are supported".to_owned(),
        )),
    }
}

/// The part of a feature map of that size that STRIDED_SLICE takes.
pub(crate) fn slice(
    masks: SliceMasks,
    size: [usize; 4],
    begin: &[i32],
    end: &[i32],
    strides: &[i32],
) -> Result<[Range<usize>; 4]> {
    if begin.len() != 4 || end.len() != 4 || strides != [1; 4] {
        return Err(Problem::Damaged(format!(
            "the slice from {begin:?} to {end:?} in steps of {strides:?} is not supported, only steps of 1"
        )));
    }
    Ok(std::array::from_fn(|axis| {
        let place = |masked: bool, at: i32, otherwise: usize| {
            if masked {
                return otherwise;
            }
            let length = size[axis] as i64;
            let at = i64::from(at);
            let at = if at < 0 { at + length } else { at };
            at.clamp(0, length) as usize
        };
        let start = place(masks.begin & (1 << axis) != 0, begin[axis], 0);
        let end = place(masks.end & (1 << axis) != 0, end[axis], size[axis]);
        start..end.max(start)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_pixel_after() {
        assert_eq!(window(224, 3, 2, 1, PaddingScheme::Same), Ok((112, 0, 1)));
        assert_eq!(window(7, 5, 1, 1, PaddingScheme::Same), Ok((7, 2, 2)));
        assert_eq!(window(28, 5, 2, 1, PaddingScheme::Same), Ok((14, 1, 2)));
        assert_eq!(window(8, 2, 2, 1, PaddingScheme::Same), Ok((4, 0, 0)));
        assert_eq!(window(9, 3, 1, 2, PaddingScheme::Same), Ok((9, 2, 2)));
    }

    #[test]
    fn valid_padding_pads_nothing() {
        assert_eq!(window(226, 3, 2, 1, PaddingScheme::Valid), Ok((112, 0, 0)));
        assert_eq!(window(3, 3, 3, 1, PaddingScheme::Valid), Ok((1, 0, 0)));
        assert!(window(2, 3, 1, 1, PaddingScheme::Valid).is_err());
        assert!(window(2, 0, 1, 1, PaddingScheme::Valid).is_err());
    }
}
