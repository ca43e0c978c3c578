//! The options and inputs of an operator, checked, and the arithmetic of sliding windows.

use super::Problem;
use super::compile::Result;
use super::flatbuffer::Table;
use super::tflite::Operator;

/// Largest stride, dilation or window length that is believed.
const MAX_STEP: i32 = 1024;

/// What an operator does to its result at the end.
#[derive(Clone, Copy)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    pub(super) fn read(settings: &Settings<'_>, slot: usize) -> Result<Self> {
        match settings.i8(slot)? {
            0 => Ok(Self::None),
            1 => Ok(Self::Relu),
            3 => Ok(Self::Relu6),
            other => Err(Problem::Damaged(format!("the fused activation {other} is not supported"))),
        }
    }
}

/// The options of an operator; one without a table has all at their defaults.
pub(super) struct Settings<'a>(Option<Table<'a>>);

/// The options, which must be the table that goes with the operator.
pub(super) fn settings<'a>(operator: &Operator<'a>, kind: u8) -> Result<Settings<'a>> {
    if operator.options.is_some() && operator.options_kind != kind {
        return Err(Problem::Damaged(format!(
            "its options are of the kind {} instead of {kind}",
            operator.options_kind
        )));
    }
    Ok(Settings(operator.options))
}

impl Settings<'_> {
    pub(super) fn i8(&self, slot: usize) -> Result<i8> {
        self.0.map_or(Ok(0), |table| table.i8(slot))
    }

    pub(super) fn bool(&self, slot: usize) -> Result<bool> {
        self.0.map_or(Ok(false), |table| table.bool(slot))
    }

    pub(super) fn i32(&self, slot: usize) -> Result<i32> {
        self.0.map_or(Ok(0), |table| table.i32_or(slot, 0))
    }

    pub(super) fn step(&self, slot: usize) -> Result<usize> {
        self.step_or(slot, 0)
    }

    /// A stride, a dilation or a length: from 1 on.
    pub(super) fn step_or(&self, slot: usize, default: i32) -> Result<usize> {
        let step = self.0.map_or(Ok(default), |table| table.i32_or(slot, default))?;
        if (1..=MAX_STEP).contains(&step) {
            Ok(step as usize)
        } else {
            Err(Problem::Damaged(format!("it has a stride, dilation or length of {step}")))
        }
    }
}

pub(super) fn same_padding(settings: &Settings<'_>) -> Result<bool> {
    match settings.i8(0)? {
        0 => Ok(true),
        1 => Ok(false),
        other => Err(Problem::Damaged(format!("it has the unknown padding {other}"))),
    }
}

/// Length of the result of a sliding window, and the padding before and after: TensorFlow's SAME puts the odd one
/// after, VALID pads nothing.
pub(super) fn window(
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

pub(super) fn input(operator: &Operator<'_>, index: usize) -> Result<usize> {
    operator.inputs.get(index).copied().flatten().ok_or_else(missing_input)
}

pub(super) fn missing_input() -> Problem {
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
