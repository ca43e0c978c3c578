//! What operators do: the one place that knows TensorFlow Lite's operator codes, tables of options and their fields.

use super::flatbuffer::Table;
use super::names::operator_name;
use crate::problem::{Problem, Result};

/// Largest stride, dilation or window length that is believed.
const MAX_STEP: i32 = 1024;

/// An operator with its options. Pairs are rows and columns.
#[derive(Debug)]
pub(crate) enum Op {
    Add {
        activation: FusedActivation,
    },
    Concatenation {
        axis: i32,
        activation: FusedActivation,
    },
    Conv2d {
        windows: Windows,
        activation: FusedActivation,
    },
    DepthwiseConv2d {
        windows: Windows,
        activation: FusedActivation,
    },
    /// `block` x `block` pixels of the channels of each.
    DepthToSpace {
        block: usize,
    },
    /// Widens a float16 constant.
    Dequantize,
    /// Spreads a sparse constant.
    Densify,
    FullyConnected {
        activation: FusedActivation,
    },
    Logistic,
    MaxPool2d {
        windows: Windows,
        kernel: [usize; 2],
        activation: FusedActivation,
    },
    Mean,
    Pad,
    Prelu,
    Relu,
    Relu6,
    Reshape,
    /// With half pixel centres.
    ResizeBilinear,
    StridedSlice(SliceMasks),
    /// TensorFlow Lite's name of one that there are no kernels for.
    Unknown(String),
}

/// How the windows of a convolution or a pool follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) padding: PaddingScheme,
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
}

/// How much padding an operator adds to its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaddingScheme {
    /// As much as makes the output as large as the input divided by the stride; the odd one comes after.
    Same,
    /// None.
    Valid,
}

/// What an operator does to its result at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FusedActivation {
    None,
    Relu,
    Relu6,
}

/// The axes, as bits, of which STRIDED_SLICE takes everything before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SliceMasks {
    pub(crate) begin: i32,
    pub(crate) end: i32,
}

impl Op {
    /// Reads an operator of the file. `code` is that of `BuiltinOperator`, `kind` that of the union `BuiltinOptions`, 0
    /// without options; both as in TensorFlow Lite's schema 3, whose tables give the fields their numbers.
    pub(super) fn parse(code: i32, kind: u8, options: Option<Table<'_>>) -> Result<Self> {
        let of = |expected: u8| Options::new(expected, kind, options);
        Ok(match code {
            0 => Self::Add { activation: of(11)?.activation(0)? },
            2 => {
                let options = of(10)?;
                Self::Concatenation { axis: options.i32(0)?, activation: options.activation(1)? }
            }
            3 => {
                let options = of(1)?;
                let dilation = [options.step_or(5, 1)?, options.step_or(4, 1)?];
                Self::Conv2d { windows: options.windows(dilation)?, activation: options.activation(3)? }
            }
            4 => {
                let options = of(2)?;
                let dilation = [options.step_or(6, 1)?, options.step_or(5, 1)?];
                Self::DepthwiseConv2d {
                    windows: options.windows(dilation)?,
                    activation: options.activation(4)?,
                }
            }
            5 => Self::DepthToSpace { block: of(94)?.step(0)? },
            6 => Self::Dequantize,
            9 => {
                let options = of(8)?;
                if options.i8(1)? != 0 {
                    return Err(Problem::Damaged("its weights are in a shuffled format".to_owned()));
                }
                Self::FullyConnected { activation: options.activation(0)? }
            }
            14 => Self::Logistic,
            17 => {
                let options = of(5)?;
                Self::MaxPool2d {
                    windows: options.windows([1, 1])?,
                    kernel: [options.step(4)?, options.step(3)?],
                    activation: options.activation(5)?,
                }
            }
            19 => Self::Relu,
            21 => Self::Relu6,
            22 => Self::Reshape,
            23 => {
                let options = of(15)?;
                let (aligns_corners, has_half_pixel_centres) = (options.bool(2)?, options.bool(3)?);
                if aligns_corners || !has_half_pixel_centres {
                    return Err(Problem::Damaged("only half pixel centres are supported".to_owned()));
                }
                Self::ResizeBilinear
            }
            34 => Self::Pad,
            40 => Self::Mean,
            45 => {
                let options = of(32)?;
                // Masks of ellipses, new axes and dropped axes, and whether ends are offsets.
                if options.i32(2)? != 0 || options.i32(3)? != 0 || options.i32(4)? != 0 || options.bool(5)? {
                    return Err(Problem::Damaged(
                        "ellipses, new axes, dropped axes and offsets are not supported".to_owned(),
                    ));
                }
                Self::StridedSlice(SliceMasks { begin: options.i32(0)?, end: options.i32(1)? })
            }
            54 => Self::Prelu,
            124 => Self::Densify,
            code => Self::Unknown(operator_name(code)),
        })
    }
}

/// The options of an operator; one without a table has all at their defaults.
struct Options<'a>(Option<Table<'a>>);

impl<'a> Options<'a> {
    /// The table of options, which must be of the kind that goes with the operator.
    fn new(expected: u8, kind: u8, table: Option<Table<'a>>) -> Result<Self> {
        if table.is_some() && kind != expected {
            return Err(Problem::Damaged(format!(
                "its options are of the kind {kind} instead of {expected}"
            )));
        }
        Ok(Self(table))
    }

    fn i8(&self, field: usize) -> Result<i8> {
        self.0.map_or(Ok(0), |table| table.i8(field))
    }

    fn bool(&self, field: usize) -> Result<bool> {
        self.0.map_or(Ok(false), |table| table.bool(field))
    }

    fn i32(&self, field: usize) -> Result<i32> {
        self.0.map_or(Ok(0), |table| table.i32_or(field, 0))
    }

    fn step(&self, field: usize) -> Result<usize> {
        self.step_or(field, 0)
    }

    /// A stride, a dilation or a length: from 1 on.
    fn step_or(&self, field: usize, default: i32) -> Result<usize> {
        let step = self.0.map_or(Ok(default), |table| table.i32_or(field, default))?;
        if (1..=MAX_STEP).contains(&step) {
            Ok(step as usize)
        } else {
            Err(Problem::Damaged(format!("it has a stride, dilation or length of {step}")))
        }
    }

    /// Padding and strides, which all operators with windows have in the same fields.
    fn windows(&self, dilation: [usize; 2]) -> Result<Windows> {
        let padding = match self.i8(0)? {
            0 => PaddingScheme::Same,
            1 => PaddingScheme::Valid,
            other => return Err(Problem::Damaged(format!("it has the unknown padding {other}"))),
        };
        Ok(Windows { padding, stride: [self.step(2)?, self.step(1)?], dilation })
    }

    fn activation(&self, field: usize) -> Result<FusedActivation> {
        match self.i8(field)? {
            0 => Ok(FusedActivation::None),
            1 => Ok(FusedActivation::Relu),
            3 => Ok(FusedActivation::Relu6),
            other => Err(Problem::Damaged(format!("the fused activation {other} is not supported"))),
        }
    }
}
