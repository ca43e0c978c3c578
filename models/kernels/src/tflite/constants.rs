//! Which tensors of a model are constants, and their elements.

use super::model::{Model, Operator, elements};
use crate::problem::{Problem, Result};

/// Most values of the constants that are read of a file, more than twice as many as any network of this kind has. A few
/// bytes of a sparse constant may stand for far more.
const MAX_VALUES: usize = 1 << 23;

/// The constants of a model. Float16 ones and sparse ones stand in the file behind an operator that makes float32 of them;
/// it is enough to know where they come from, as they are widened and made dense when they are read.
pub(crate) struct Constants<'m, 'a> {
    model: &'m Model<'a>,
    /// By tensor, the one of the file that holds its elements.
    sources: Vec<Option<usize>>,
    /// Values that may still be read.
    left: usize,
}

impl<'m, 'a> Constants<'m, 'a> {
    /// Those that stand in the file itself.
    pub(crate) fn new(model: &'m Model<'a>) -> Self {
        let mut sources: Vec<_> = (model.tensors.iter().enumerate())
            .map(|(index, tensor)| (!tensor.data.is_empty()).then_some(index))
            .collect();
        let outputs = model.operators.iter().flat_map(|operator| &operator.outputs);
        for &computed in outputs.chain(&model.inputs) {
            sources[computed] = None;
        }
        Self { model, sources, left: MAX_VALUES }
    }

    /// Records the result of DEQUANTIZE or DENSIFY.
    pub(crate) fn forward(&mut self, operator: &Operator) -> Result<()> {
        let source = self.sources[operator.input(0)?].ok_or_else(|| {
            Problem::Damaged("only constants may be stored as float16 or sparse".to_owned())
        })?;
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged("it must have one output".to_owned()));
        };
        let (from, to) = (&self.model.tensors[source].shape, &self.model.tensors[*output].shape);
        if from != to {
            return Err(Problem::Damaged(format!("it turns the shape {from:?} into {to:?}")));
        }
        self.sources[*output] = Some(source);
        Ok(())
    }

    /// Shape and elements of a constant float tensor.
    pub(crate) fn floats(&mut self, tensor: usize) -> Result<(&'m [usize], Vec<f32>)> {
        let source = self.sources[tensor].ok_or_else(|| {
            Problem::Damaged(format!("tensor {} must be a constant", self.model.tensors[tensor].name))
        })?;
        let source = &self.model.tensors[source];
        let left = elements(&source.shape).and_then(|values| self.left.checked_sub(values));
        self.left = left.ok_or_else(|| {
            Problem::Damaged(format!(
                "with constant {} there are more than {MAX_VALUES} weights",
                source.name
            ))
        })?;
        Ok((&source.shape, source.floats()?))
    }

    /// The bias of a convolution or a fully connected layer, its third input; `None` if it has none.
    pub(crate) fn bias(&mut self, operator: &Operator, filters: usize) -> Result<Option<Vec<f32>>> {
        let Some(&Some(bias)) = operator.inputs.get(2) else { return Ok(None) };
        let (_, bias) = self.floats(bias)?;
        if bias.len() == filters {
            Ok(Some(bias))
        } else {
            Err(Problem::Damaged(format!("its bias is not of {filters} values")))
        }
    }
}
