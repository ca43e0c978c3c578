//! Why a network's file cannot be used.

use crate::processor::UnsupportedProcessor;

/// What reading a file gives.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// What is wrong with a file that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The processor lacks the vectors of the kernels.
    #[error(transparent)]
    Processor(#[from] UnsupportedProcessor),
    /// It is not a TFLite file, or not a whole one, or contradicts itself.
    #[error("{0}")]
    Damaged(String),
    /// It has an operator that there are no kernels for.
    #[error("operator {position} is {operator}, which is not known here")]
    UnknownOperator {
        /// Place in the file's list of operators, from 0.
        position: usize,
        /// TensorFlow Lite's name of it.
        operator: String,
    },
    /// An operator is used in a way that there are no kernels for, or that contradicts the rest of the file.
    #[error("operator {position} ({operator}): {what}")]
    Operator {
        /// Place in the file's list of operators, from 0.
        position: usize,
        /// TensorFlow Lite's name of it.
        operator: String,
        /// What is wrong.
        what: String,
    },
    /// An output is to be pruned that the file does not have, or leaves none.
    #[error("output {output} cannot be pruned from a network of {outputs} outputs")]
    Prune {
        /// The output that was to be pruned.
        output: usize,
        /// How many outputs there are.
        outputs: usize,
    },
}

impl Problem {
    /// What is wrong with an operator, with its place in the file and TensorFlow Lite's name of it.
    pub(crate) fn in_operator(self, position: usize, operator: &str) -> Self {
        match self {
            Self::Damaged(what) => Self::Operator { position, operator: operator.to_owned(), what },
            other => other,
        }
    }
}
