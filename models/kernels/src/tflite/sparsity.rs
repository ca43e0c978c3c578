//! Sparse constants: which of a tensor's elements stand in the file.

use super::flatbuffer::Table;
use crate::problem::{Problem, Result};

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

impl Sparsity {
    pub(super) fn parse(table: Table<'_>) -> Result<Self> {
        Ok(Self {
            traversal: table.i32s(0)?,
            blocks: table.i32s(1)?,
            dimensions: table.tables(2)?.into_iter().map(Dimension::parse).collect::<Result<Vec<_>>>()?,
        })
    }

    /// Spreads the values over a tensor of zeros. Understands what MediaPipe's files use: dimensions in their natural
    /// order, no blocks, all dense but the last, which is compressed.
    pub(super) fn densify(&self, values: &[f32], shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
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
