//! Why a network's file cannot be used.

use super::{Operator, operator_name};

/// What is wrong with a file that cannot be imported or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not a TFLite file, or not a whole one, or contradicts itself.
    #[error("{0}")]
    Damaged(String),
    /// It has an operator that the importer does not know.
    #[error("operator {position} is {operator}, which is not known here")]
    UnknownOperator {
        /// Place in the file's list of operators, from 0.
        position: usize,
        /// TensorFlow Lite's name of it.
        operator: String,
    },
    /// An operator is used in a way that the importer does not know, or that contradicts the rest of the file.
    #[error("operator {position} ({operator}): {what}")]
    Operator {
        /// Place in the file's list of operators, from 0.
        position: usize,
        /// TensorFlow Lite's name of it.
        operator: String,
        /// What is wrong.
        what: String,
    },
    /// [`Options::pruned_outputs`] names an output that the file does not have, or leaves none.
    #[error("output {output} cannot be pruned from a network of {outputs} outputs")]
    Prune {
        /// The output that was to be pruned.
        output: usize,
        /// How many outputs there are.
        outputs: usize,
    },
    /// A [`Table`] is damaged, or does not fit the network.
    #[error("its table of quantisation: {0}")]
    Table(String),
}

impl Problem {
    /// What is wrong with an operator, with its place in the file.
    pub(crate) fn in_operator(self, position: usize, operator: &Operator<'_>) -> Self {
        match self {
            Self::Damaged(what) => Self::Operator { position, operator: operator_name(operator.code), what },
            other => other,
        }
    }
}
