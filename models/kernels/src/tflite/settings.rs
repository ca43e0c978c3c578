//! The options and inputs of an operator, checked, and the arithmetic of sliding windows.

use std::ops::Range;

use super::Operator;
use super::flatbuffer::Table;
use crate::problem::{Problem, Result};

/// Largest stride, dilation or window length that is believed.
const MAX_STEP: i32 = 1024;

/// What an operator does to its result at the end.
#[derive(Clone, Copy)]
pub(crate) enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    pub(crate) fn read(settings: &Settings<'_>, slot: usize) -> Result<Self> {
        match settings.i8(slot)? {
            0 => Ok(Self::None),
            1 => Ok(Self::Relu),
            3 => Ok(Self::Relu6),
            other => Err(Problem::Damaged(format!("the fused activation {other} is not supported"))),
        }
    }
}

/// Rows and columns of zeros round an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Border {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) bottom: usize,
    pub(crate) right: usize,
}

impl std::ops::Add for Border {
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

/// The options of an operator; one without a table has all at their defaults.
pub(crate) struct Settings<'a>(Option<Table<'a>>);

/// The options, which must be the table that goes with the operator.
pub(crate) fn settings<'a>(operator: &Operator<'a>, kind: u8) -> Result<Settings<'a>> {
    if operator.options.is_some() && operator.options_kind != kind {
        return Err(Problem::Damaged(format!(
            "its options are of the kind {} instead of {kind}",
            operator.options_kind
        )));
    }
    Ok(Settings(operator.options))
}

impl Settings<'_> {
    pub(crate) fn i8(&self, slot: usize) -> Result<i8> {
        self.0.map_or(Ok(0), |table| table.i8(slot))
    }

    pub(crate) fn bool(&self, slot: usize) -> Result<bool> {
        self.0.map_or(Ok(false), |table| table.bool(slot))
    }

    pub(crate) fn i32(&self, slot: usize) -> Result<i32> {
        self.0.map_or(Ok(0), |table| table.i32_or(slot, 0))
    }

    pub(crate) fn step(&self, slot: usize) -> Result<usize> {
        self.step_or(slot, 0)
    }

    /// A stride, a dilation or a length: from 1 on.
    pub(crate) fn step_or(&self, slot: usize, default: i32) -> Result<usize> {
        let step = self.0.map_or(Ok(default), |table| table.i32_or(slot, default))?;
        if (1..=MAX_STEP).contains(&step) {
            Ok(step as usize)
        } else {
            Err(Problem::Damaged(format!("it has a stride, dilation or length of {step}")))
        }
    }
}

pub(crate) fn same_padding(settings: &Settings<'_>) -> Result<bool> {
    match settings.i8(0)? {
        0 => Ok(true),
        1 => Ok(false),
        other => Err(Problem::Damaged(format!("it has the unknown padding {other}"))),
    }
}

/// Length of the result of a sliding window, and the padding before and after: TensorFlow's SAME puts the odd one
/// after, VALID pads nothing.
pub(crate) fn window(
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    same: bool,
) -> Result<(usize, usize, usize)> {
    let reach = kernel
        .checked_sub(1)
        .map(|steps| steps * dilation + 1)
        .ok_or_else(|| Problem::Damaged("its window is empty".to_owned()))?;
    if same {
        let count = length.div_ceil(stride);
        let padding = (count.saturating_sub(1) * stride + reach).saturating_sub(length);
        return Ok((count, padding / 2, padding - padding / 2));
    }
    let room = length
        .checked_sub(reach)
        .ok_or_else(|| Problem::Damaged(format!("a window of {reach} does not fit into {length}")))?;
    Ok((room / stride + 1, 0, 0))
}

/// What PAD adds, from its list of zeros before and after along each axis: round the image, and after its channels.
pub(crate) fn pads(pads: &[i32]) -> Result<(Border, usize)> {
    let pads = pads
        .iter()
        .map(|&pad| usize::try_from(pad).ok().filter(|&pad| pad < 1 << 16))
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default();
    match pads.as_slice() {
        &[0, 0, top, bottom, left, right, 0, channels] => Ok((Border { top, left, bottom, right }, channels)),
        _ => Err(Problem::Damaged(
            "only zeros round the image and after the channels are supported".to_owned(),
        )),
    }
}

/// The part of an image of that size that STRIDED_SLICE takes.
pub(crate) fn slice(
    operator: &Operator<'_>,
    size: [usize; 4],
    begin: &[i32],
    end: &[i32],
    strides: &[i32],
) -> Result<[Range<usize>; 4]> {
    let settings = settings(operator, 32)?;
    let (begin_mask, end_mask) = (settings.i32(0)?, settings.i32(1)?);
    if settings.i32(2)? != 0 || settings.i32(3)? != 0 || settings.i32(4)? != 0 || settings.bool(5)? {
        return Err(Problem::Damaged(
            "ellipses, new axes, dropped axes and offsets are not supported".to_owned(),
        ));
    }
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
        let start = place(begin_mask & (1 << axis) != 0, begin[axis], 0);
        let end = place(end_mask & (1 << axis) != 0, end[axis], size[axis]);
        start..end.max(start)
    }))
}

pub(crate) fn input(operator: &Operator<'_>, index: usize) -> Result<usize> {
    operator.inputs.get(index).copied().flatten().ok_or_else(missing_input)
}

pub(crate) fn missing_input() -> Problem {
    Problem::Damaged("it lacks an input".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_pixel_after() {
        assert_eq!(window(224, 3, 2, 1, true), Ok((112, 0, 1)));
        assert_eq!(window(7, 5, 1, 1, true), Ok((7, 2, 2)));
        assert_eq!(window(28, 5, 2, 1, true), Ok((14, 1, 2)));
        assert_eq!(window(8, 2, 2, 1, true), Ok((4, 0, 0)));
        assert_eq!(window(9, 3, 1, 2, true), Ok((9, 2, 2)));
    }

    #[test]
    fn valid_padding_pads_nothing() {
        assert_eq!(window(226, 3, 2, 1, false), Ok((112, 0, 0)));
        assert_eq!(window(3, 3, 3, 1, false), Ok((1, 0, 0)));
        assert!(window(2, 3, 1, 1, false).is_err());
        assert!(window(2, 0, 1, 1, false).is_err());
    }
}
