//! A TFLite file as plain structures: TensorFlow Lite's schema 3, as far as our kernels need it.

mod constants;
mod flatbuffer;
mod names;
pub(crate) mod settings;

pub(crate) use constants::Constants;
pub(crate) use names::operator_name;

use half::f16;

use crate::problem::{Problem, Result};
use flatbuffer::Table;

/// No network of this kind comes near it; a damaged shape easily does.
const MAX_ELEMENTS: usize = 1 << 26;

/// The one subgraph of a model.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) tensors: Vec<Tensor<'a>>,
    pub(crate) operators: Vec<Operator<'a>>,
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
pub(crate) struct Operator<'a> {
    /// Builtin code.
    pub(crate) code: i32,
    /// `None` for an optional input left out.
    pub(crate) inputs: Vec<Option<usize>>,
    pub(crate) outputs: Vec<usize>,
    /// Which table `options` is.
    pub(crate) options_kind: u8,
    pub(crate) options: Option<Table<'a>>,
}

/// How the values of a sparse tensor are laid out.
#[derive(Debug)]
pub(crate) struct Sparsity {
    pub(crate) traversal: Vec<i32>,
    pub(crate) blocks: Vec<i32>,
    pub(crate) dimensions: Vec<Dimension>,
}

#[derive(Debug)]
pub(crate) enum Dimension {
    Dense {
        size: usize,
    },
    /// Compressed rows: values `segments[r]..segments[r + 1]` belong to row r, at the places `indices` lists.
    Compressed {
        segments: Vec<usize>,
        indices: Vec<usize>,
    },
}

impl<'a> Model<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let model = Table::root(bytes, b"TFL3")?;
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
        let operators = graph
            .tables(3)?
            .iter()
            .map(|operator| Operator::parse(*operator, &codes, tensors.len()))
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

impl<'a> Operator<'a> {
    fn parse(table: Table<'a>, codes: &[i32], tensors: usize) -> Result<Self> {
        let code = table.u32(0)? as usize;
        let inputs = table
            .i32s(1)?
            .iter()
            .map(|&index| match index {
                -1 => Ok(None),
                index => tensor_index(index, tensors).map(Some),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            code: *codes
                .get(code)
                .ok_or_else(|| Problem::Damaged(format!("an operator has code {code} of {}", codes.len())))?,
            inputs,
            outputs: indices(&table.i32s(2)?, tensors)?,
            options_kind: table.u8(3)?,
            options: table.table(4)?,
        })
    }
}

impl Sparsity {
    fn parse(table: Table<'_>) -> Result<Self> {
        Ok(Self {
            traversal: table.i32s(0)?,
            blocks: table.i32s(1)?,
            dimensions: table.tables(2)?.into_iter().map(Dimension::parse).collect::<Result<Vec<_>>>()?,
        })
    }

    /// Spreads the values over a tensor of zeros. Understands what MediaPipe's files use: dimensions in their natural
    /// order, no blocks, all dense but the last, which is compressed.
    fn densify(&self, values: &[f32], shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
        if !self.blocks.is_empty() || !self.traversal.iter().copied().eq(0..shape.len() as i32) {
            return Err(format!(
                "traversal order {:?} with blocks {:?} is not supported, only the natural order without blocks",
                self.traversal, self.blocks
            ));
        }
        let Some((Dimension::Compressed { segments, indices }, outer)) = self.dimensions.split_last() else {
            return Err("its last dimension is not compressed".to_owned());
        };
        let Some((&row_length, outer_shape)) = shape.split_last() else {
            return Err("it has no dimension".to_owned());
        };
        let dense = outer.iter().map(|dimension| match dimension {
            Dimension::Dense { size } => Some(*size),
            Dimension::Compressed { .. } => None,
        });
        if !dense.eq(outer_shape.iter().copied().map(Some)) {
            return Err(format!(
                "only the last dimension may be compressed and the others must match the shape {shape:?}"
            ));
        }
        // The product fits: the whole shape was checked when the tensor was read.
        let rows: usize = outer_shape.iter().product();
        if segments.len() != rows + 1 || indices.len() != values.len() {
            return Err(format!(
                "{rows} rows have {} segments, {} values have {} places",
                segments.len(),
                values.len(),
                indices.len()
            ));
        }
        let mut dense = vec![0.0; rows * row_length];
        for (row, bounds) in segments.windows(2).enumerate() {
            let range = bounds[0]..bounds[1];
            let (Some(places), Some(values)) = (indices.get(range.clone()), values.get(range)) else {
                return Err(format!("row {row} takes the values {bounds:?} of {}", values.len()));
            };
            for (&place, &value) in places.iter().zip(values) {
                if place >= row_length {
                    return Err(format!("row {row} has a value at {place} of {row_length}"));
                }
                dense[row * row_length + place] = value;
            }
        }
        Ok(dense)
    }
}

impl Dimension {
    fn parse(table: Table<'_>) -> Result<Self> {
        match table.i8(0)? {
            0 => {
                let size = table.i32_or(1, 0)?;
                Ok(Self::Dense {
                    size: usize::try_from(size)
                        .map_err(|_| Problem::Damaged(format!("a dense dimension has the size {size}")))?,
                })
            }
            1 => Ok(Self::Compressed {
                segments: sparse_indices(table.u8(2)?, table.table(3)?)?,
                indices: sparse_indices(table.u8(4)?, table.table(5)?)?,
            }),
            format => Err(Problem::Damaged(format!("a sparse dimension has the unknown format {format}"))),
        }
    }
}

/// The vector of int32, uint16 or uint8 in which a compressed dimension keeps its numbers.
fn sparse_indices(kind: u8, table: Option<Table<'_>>) -> Result<Vec<usize>> {
    let Some(table) = table else {
        return Ok(Vec::new());
    };
    match kind {
        1 => table
            .i32s(0)?
            .into_iter()
            .map(|index| {
                usize::try_from(index).map_err(|_| Problem::Damaged(format!("a sparse index is {index}")))
            })
            .collect(),
        2 => Ok(table.u16s(0)?.into_iter().map(usize::from).collect()),
        3 => Ok(table.bytes(0)?.iter().copied().map(usize::from).collect()),
        kind => Err(Problem::Damaged(format!("sparse indices are of the unknown kind {kind}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(segments: &[usize], indices: &[usize]) -> Sparsity {
        Sparsity {
            traversal: vec![0, 1],
            blocks: Vec::new(),
            dimensions: vec![
                Dimension::Dense { size: 2 },
                Dimension::Compressed { segments: segments.to_vec(), indices: indices.to_vec() },
            ],
        }
    }

    #[test]
    fn compressed_rows_are_spread_over_zeros() {
        let dense = rows(&[0, 1, 3], &[2, 0, 1]).densify(&[5.0, 6.0, 7.0], &[2, 3]);
        assert_eq!(dense, Ok(vec![0.0, 0.0, 5.0, 6.0, 7.0, 0.0]));
    }

    #[test]
    fn contradictory_sparsity_is_an_error() {
        let values = [5.0, 6.0, 7.0];
        for (what, sparsity) in [
            ("a place beyond the row", rows(&[0, 1, 3], &[3, 0, 1])),
            ("segments beyond the values", rows(&[0, 1, 4], &[2, 0, 1])),
            ("segments that run backwards", rows(&[2, 1, 3], &[2, 0, 1])),
            ("too few segments", rows(&[0, 3], &[2, 0, 1])),
            ("too few places", rows(&[0, 1, 3], &[2, 0])),
        ] {
            assert!(sparsity.densify(&values, &[2, 3]).is_err(), "{what}");
        }
        let mut blocks = rows(&[0, 1, 3], &[2, 0, 1]);
        blocks.blocks = vec![1];
        assert!(blocks.densify(&values, &[2, 3]).is_err());
    }
}
