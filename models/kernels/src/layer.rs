//! One layer of a network, whatever its kind.

use crate::dense::Dense;
use crate::depthwise::Depthwise;
use crate::epilogue::{Activation, Epilogue};
use crate::pool::{MaxPool, Mean};
use crate::rearrange::{Crop, DepthToSpace};
use crate::resize::Resize;
use crate::row_window::RowWindow;
use crate::sum::Sum;

/// One layer.
#[derive(Debug)]
pub(crate) enum Layer {
    Dense(Dense),
    Depthwise(Depthwise),
    Sum(Sum),
    MaxPool(MaxPool),
    Mean(Mean),
    Resize(Resize),
    Crop(Crop),
    DepthToSpace(DepthToSpace),
}

impl Layer {
    /// The feature map that it makes.
    pub(crate) fn output(&self) -> usize {
        match self {
            Self::Dense(step) => step.output,
            Self::Depthwise(step) => step.output,
            Self::Sum(step) => step.output,
            Self::MaxPool(step) => step.output,
            Self::Mean(step) => step.output,
            Self::Resize(step) => step.output,
            Self::Crop(step) => step.output,
            Self::DepthToSpace(step) => step.output,
        }
    }

    /// The feature maps that it reads.
    pub(crate) fn inputs(&self) -> [Option<usize>; 2] {
        match self {
            Self::Dense(step) => [Some(step.input), step.epilogue.residual],
            Self::Depthwise(step) => [Some(step.input), None],
            Self::Sum(step) => [Some(step.input), step.other],
            Self::MaxPool(step) => [Some(step.input), None],
            Self::Mean(step) => [Some(step.input), None],
            Self::Resize(step) => [Some(step.input), None],
            Self::Crop(step) => [Some(step.input), None],
            Self::DepthToSpace(step) => [Some(step.input), None],
        }
    }

    /// What a convolution reads of its input.
    pub(crate) fn window(&self) -> Option<RowWindow> {
        match self {
            Self::Dense(step) => Some(step.window()),
            Self::Depthwise(step) => Some(step.window()),
            _ => None,
        }
    }

    /// Values of its weights.
    pub(crate) fn weights(&self) -> usize {
        match self {
            Self::Dense(step) => step.weights(),
            Self::Depthwise(step) => step.weights(),
            _ => 0,
        }
    }

    /// What it does to its sums, if more can be appended to it.
    pub(crate) fn open_epilogue(&mut self) -> Option<&mut Epilogue> {
        let epilogue = match self {
            Self::Dense(step) => &mut step.epilogue,
            Self::Depthwise(step) => &mut step.epilogue,
            _ => return None,
        };
        matches!(epilogue.then, Activation::None).then_some(epilogue)
    }
}
