//! A TFLite file as plain structures: TensorFlow Lite's schema 3, as far as our kernels need it.

use half::f16;

use super::flatbuffer::{File, Table};
use super::names::operator_name;
use super::op::Op;
use super::sparsity::Sparsity;
use crate::problem::{Problem, Result};

/// No network of this kind comes near it; a damaged shape easily does.
const MAX_ELEMENTS: usize = 1 << 26;
/// The same of operators, each of which is compared with all others when they are put in order.
const MAX_OPERATORS: usize = 1 << 12;

/// The one subgraph of a model.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) tensors: Vec<Tensor<'a>>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) name: String,
    /// Channels last.
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: TensorKind,
    /// Little-endian elements; empty for what operators compute.
    pub(crate) data: &'a [u8],
    pub(crate) sparsity: Option<Sparsity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorKind {
    Float32,
    Float16,
    Int32,
    Other(i8),
}

#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) op: Op,
    /// TensorFlow Lite's name of it.
    pub(crate) name: String,
    /// `None` for an optional input left out.
    pub(crate) inputs: Vec<Option<usize>>,
    pub(crate) outputs: Vec<usize>,
}

impl<'a> Model<'a> {
    pub(crate) fn parse(file: &'a File<'a>) -> Result<Self> {
        let model = Table::root(file, b"TFL3")?;
        let codes = model
            .tables(1)?
            .iter()
            .map(|code| {
                // Codes up to 127 stand in the old field, greater ones in the new one; the other holds less.
                Ok(i32::from(code.i8(0)?).max(code.i32_or(3, 0)?))
            })
            .collect::<Result<Vec<_>>>()?;
        let buffers = model
            .tables(4)?
            .iter()
            .map(|buffer| {
                if buffer.u64(1)? > 1 {
                    return Err(Problem::Damaged(
                        "its weights stand outside the FlatBuffer, which only models over 2 GB need"
                            .to_owned(),
                    ));
                }
                buffer.bytes(0)
            })
            .collect::<Result<Vec<_>>>()?;
        let subgraphs = model.tables(2)?;
        let [graph] = subgraphs.as_slice() else {
            return Err(Problem::Damaged(format!("it holds {} subgraphs instead of one", subgraphs.len())));
        };
        let tensors = graph
            .tables(0)?
            .iter()
            .map(|tensor| Tensor::parse(*tensor, &buffers))
            .collect::<Result<Vec<_>>>()?;
        let operators = graph.tables(3)?;
        if operators.len() > MAX_OPERATORS {
            return Err(Problem::Damaged(format!("it has {} operators", operators.len())));
        }
        let operators = operators
            .iter()
            .enumerate()
            .map(|(position, operator)| Operator::parse(position, *operator, &codes, tensors.len()))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            inputs: indices(&graph.i32s(1)?, tensors.len())?,
            outputs: indices(&graph.i32s(2)?, tensors.len())?,
            tensors,
            operators,
        })
    }

    /// The tensors that are left of the outputs when those of the given indices are pruned.
    pub(crate) fn kept_outputs(&self, pruned: &[usize]) -> Result<Vec<usize>> {
        let outputs = self.outputs.len();
        if let Some(&output) = pruned.iter().find(|&&output| output >= outputs) {
            return Err(Problem::Prune { output, outputs });
        }
        let kept: Vec<usize> = (0..outputs)
            .filter(|output| !pruned.contains(output))
            .map(|output| self.outputs[output])
            .collect();
        match (kept.is_empty(), pruned.last()) {
            (false, _) => Ok(kept),
            (true, Some(&output)) => Err(Problem::Prune { output, outputs }),
            (true, None) => Err(Problem::Damaged("it has no output".to_owned())),
        }
    }

    /// Which operators the output tensors depend on, by position. Operators stand in running order.
    pub(crate) fn needed_operators(&self, outputs: &[usize]) -> Vec<bool> {
        let mut wanted = vec![false; self.tensors.len()];
        for &output in outputs {
            wanted[output] = true;
        }
        let mut needed = vec![false; self.operators.len()];
        for (position, operator) in self.operators.iter().enumerate().rev() {
            if operator.outputs.iter().any(|&output| wanted[output]) {
                needed[position] = true;
                for &input in operator.inputs.iter().flatten() {
                    wanted[input] = true;
                }
            }
        }
        needed
    }
}

impl<'a> Tensor<'a> {
    fn parse(table: Table<'a>, buffers: &[&'a [u8]]) -> Result<Self> {
        let name = table.string(3)?;
        let shape = table
            .i32s(0)?
            .iter()
            .map(|&length| {
                usize::try_from(length)
                    .map_err(|_| Problem::Damaged(format!("tensor {name} has a dimension of {length}")))
            })
            .collect::<Result<Vec<_>>>()?;
        elements(&shape).ok_or_else(|| Problem::Damaged(format!("tensor {name} has the shape {shape:?}")))?;
        let kind = match table.i8(1)? {
            0 => TensorKind::Float32,
            1 => TensorKind::Float16,
            2 => TensorKind::Int32,
            other => TensorKind::Other(other),
        };
        let buffer = table.u32(2)? as usize;
        let data = *buffers.get(buffer).ok_or_else(|| {
            Problem::Damaged(format!("tensor {name} wants buffer {buffer}, of {}", buffers.len()))
        })?;
        let sparsity = table.table(6)?.map(Sparsity::parse).transpose()?;
        Ok(Self { name, shape, kind, data, sparsity })
    }

    /// The values of a constant float tensor in row-major order, float16 widened and sparse ones made dense.
    pub(crate) fn floats(&self) -> Result<Vec<f32>> {
        let values: Vec<f32> = match self.kind {
            TensorKind::Float32 => self.chunks::<4>()?.map(f32::from_le_bytes).collect(),
            TensorKind::Float16 => {
                self.chunks::<2>()?.map(|bytes| f16::from_le_bytes(bytes).to_f32()).collect()
            }
            TensorKind::Int32 | TensorKind::Other(_) => {
                return Err(Problem::Damaged(format!(
                    "constant {} is of the kind {:?}, not float32 or float16",
                    self.name, self.kind
                )));
            }
        };
        let values = match &self.sparsity {
            Some(sparsity) => sparsity
                .densify(&values, &self.shape)
                .map_err(|problem| Problem::Damaged(format!("sparse constant {}: {problem}", self.name)))?,
            None => values,
        };
        self.check_count(values.len())?;
        Ok(values)
    }

    /// The values of a constant int32 tensor.
    pub(crate) fn ints(&self) -> Result<Vec<i32>> {
        if self.kind != TensorKind::Int32 {
            return Err(Problem::Damaged(format!(
                "constant {} is of the kind {:?}, not int32",
                self.name, self.kind
            )));
        }
        let values: Vec<i32> = self.chunks::<4>()?.map(i32::from_le_bytes).collect();
        self.check_count(values.len())?;
        Ok(values)
    }

    fn chunks<const N: usize>(&self) -> Result<impl Iterator<Item = [u8; N]>> {
        let (chunks, rest) = self.data.as_chunks::<N>();
        if rest.is_empty() {
            Ok(chunks.iter().copied())
        } else {
            Err(Problem::Damaged(format!(
                "constant {} has {} bytes, which is no multiple of {N}",
                self.name,
                self.data.len()
            )))
        }
    }

    fn check_count(&self, count: usize) -> Result<()> {
        if elements(&self.shape) == Some(count) {
            Ok(())
        } else {
            Err(Problem::Damaged(format!(
                "constant {} of shape {:?} has {count} values",
                self.name, self.shape
            )))
        }
    }
}

impl Operator {
    fn parse(position: usize, table: Table<'_>, codes: &[i32], tensors: usize) -> Result<Self> {
        let code = table.u32(0)? as usize;
        let inputs = table
            .i32s(1)?
            .iter()
            .map(|&index| match index {
                -1 => Ok(None),
                index => tensor_index(index, tensors).map(Some),
            })
            .collect::<Result<Vec<_>>>()?;
        let code = *codes
            .get(code)
            .ok_or_else(|| Problem::Damaged(format!("an operator has code {code} of {}", codes.len())))?;
        let name = operator_name(code);
        let op = Op::parse(code, table.u8(3)?, table.table(4)?)
            .map_err(|problem| problem.in_operator(position, &name))?;
        Ok(Self { op, name, inputs, outputs: indices(&table.i32s(2)?, tensors)? })
    }

    /// The tensor that it reads at that place.
    pub(crate) fn input(&self, index: usize) -> Result<usize> {
        let input = self.inputs.get(index).copied().flatten();
        input.ok_or_else(|| Problem::Damaged("it lacks an input".to_owned()))
    }
}

/// Number of elements of a shape; `None` when it is beyond reason.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |product, &length| product.checked_mul(length))
        .filter(|&count| count <= MAX_ELEMENTS)
}

fn indices(indices: &[i32], tensors: usize) -> Result<Vec<usize>> {
    indices.iter().map(|&index| tensor_index(index, tensors)).collect()
}

fn tensor_index(index: i32, tensors: usize) -> Result<usize> {
    usize::try_from(index)
        .ok()
        .filter(|&index| index < tensors)
        .ok_or_else(|| Problem::Damaged(format!("tensor {index} is named, but there are {tensors}")))
}
