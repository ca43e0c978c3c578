//! The few FlatBuffers reads that a TFLite file needs, every offset checked against the bytes at hand.
//!
//! Binary format: <https://flatbuffers.dev/internals/>. A table starts with a signed offset back to its vtable; the
//! vtable holds its own length, the table's length, and one 16-bit offset per field, 0 for a field left at its default.

use std::cell::Cell;

use crate::problem::{Problem, Result};

/// How often as much as the file itself its lists may hold together. Each has a place of its own in the files that there are;
/// in a damaged one many tables may name the same long list.
const MOST_SHARED: usize = 4;

/// A file's content, and how many bytes its lists may still hold.
#[derive(Debug)]
pub(crate) struct File<'a> {
    bytes: &'a [u8],
    left: Cell<usize>,
}

impl<'a> File<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, left: Cell::new(bytes.len().saturating_mul(MOST_SHARED)) }
    }

    /// Counts a list of so many bytes.
    fn count(&self, length: usize) -> Result<()> {
        let left = self.left.get().checked_sub(length).ok_or_else(|| {
            Problem::Damaged(
                "many of its tables name the same lists: these hold more than the file".to_owned(),
            )
        })?;
        self.left.set(left);
        Ok(())
    }
}

/// A table: its fields are looked up by slot, the position of the field in the schema's declaration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    file: &'a File<'a>,
    position: usize,
    vtable: &'a [u8],
}

/// A vector of `len` elements that lie in `bytes` from `start` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector<'a> {
    bytes: &'a [u8],
    start: usize,
    len: usize,
}

impl<'a> Table<'a> {
    /// The root table of a file with the given identifier.
    pub(crate) fn root(file: &'a File<'a>, identifier: &[u8; 4]) -> Result<Self> {
        if file.bytes.get(4..8) != Some(identifier.as_slice()) {
            return Err(Problem::Damaged(format!(
                "it does not carry the file identifier {}",
                String::from_utf8_lossy(identifier)
            )));
        }
        Self::at(file, follow(file.bytes, 0)?)
    }

    fn at(file: &'a File<'a>, position: usize) -> Result<Self> {
        let bytes = file.bytes;
        let back = i32::from_le_bytes(read(bytes, position)?);
        let vtable = i64::try_from(position)
            .ok()
            .and_then(|position| usize::try_from(position - i64::from(back)).ok())
            .ok_or_else(|| outside(position))?;
        let size = usize::from(u16::from_le_bytes(read(bytes, vtable)?));
        let end = vtable.checked_add(size).ok_or_else(|| outside(vtable))?;
        let vtable = bytes.get(vtable..end).ok_or_else(|| outside(end))?;
        Ok(Self { file, position, vtable })
    }

    /// Position of a field's inline data, `None` when it is left at its default.
    fn field(&self, slot: usize) -> Option<usize> {
        let entry = 4 + 2 * slot;
        let offset = self.vtable.get(entry..entry + 2)?;
        match u16::from_le_bytes([offset[0], offset[1]]) {
            0 => None,
            offset => self.position.checked_add(usize::from(offset)),
        }
    }

    pub(crate) fn u8(&self, slot: usize) -> Result<u8> {
        self.field(slot).map_or(Ok(0), |at| Ok(u8::from_le_bytes(read(self.file.bytes, at)?)))
    }

    pub(crate) fn i8(&self, slot: usize) -> Result<i8> {
        self.field(slot).map_or(Ok(0), |at| Ok(i8::from_le_bytes(read(self.file.bytes, at)?)))
    }

    pub(crate) fn bool(&self, slot: usize) -> Result<bool> {
        Ok(self.u8(slot)? != 0)
    }

    pub(crate) fn u32(&self, slot: usize) -> Result<u32> {
        self.field(slot).map_or(Ok(0), |at| Ok(u32::from_le_bytes(read(self.file.bytes, at)?)))
    }

    pub(crate) fn i32_or(&self, slot: usize, default: i32) -> Result<i32> {
        self.field(slot).map_or(Ok(default), |at| Ok(i32::from_le_bytes(read(self.file.bytes, at)?)))
    }

    pub(crate) fn u64(&self, slot: usize) -> Result<u64> {
        self.field(slot).map_or(Ok(0), |at| Ok(u64::from_le_bytes(read(self.file.bytes, at)?)))
    }

    pub(crate) fn table(&self, slot: usize) -> Result<Option<Table<'a>>> {
        self.field(slot).map(|at| Table::at(self.file, follow(self.file.bytes, at)?)).transpose()
    }

    /// A vector whose elements take `size` bytes each; an absent one is empty.
    fn vector(&self, slot: usize, size: usize) -> Result<Vector<'a>> {
        let bytes = self.file.bytes;
        let Some(at) = self.field(slot) else {
            return Ok(Vector { bytes, start: 0, len: 0 });
        };
        let at = follow(bytes, at)?;
        let len = u32::from_le_bytes(read(bytes, at)?) as usize;
        let start = at + 4;
        let length =
            len.checked_mul(size).filter(|length| *length <= bytes.len().saturating_sub(start)).ok_or_else(
                || Problem::Damaged(format!("a list of {len} elements at byte {at} does not fit into it")),
            )?;
        self.file.count(length)?;
        Ok(Vector { bytes, start, len })
    }

    pub(crate) fn bytes(&self, slot: usize) -> Result<&'a [u8]> {
        let vector = self.vector(slot, 1)?;
        vector.bytes.get(vector.start..vector.start + vector.len).ok_or_else(|| outside(vector.start))
    }

    pub(crate) fn string(&self, slot: usize) -> Result<String> {
        Ok(String::from_utf8_lossy(self.bytes(slot)?).into_owned())
    }

    pub(crate) fn u16s(&self, slot: usize) -> Result<Vec<u16>> {
        let vector = self.vector(slot, 2)?;
        (0..vector.len)
            .map(|index| Ok(u16::from_le_bytes(read(vector.bytes, vector.start + 2 * index)?)))
            .collect()
    }

    pub(crate) fn i32s(&self, slot: usize) -> Result<Vec<i32>> {
        let vector = self.vector(slot, 4)?;
        (0..vector.len)
            .map(|index| Ok(i32::from_le_bytes(read(vector.bytes, vector.start + 4 * index)?)))
            .collect()
    }

    pub(crate) fn tables(&self, slot: usize) -> Result<Vec<Table<'a>>> {
        let vector = self.vector(slot, 4)?;
        (0..vector.len)
            .map(|index| Table::at(self.file, follow(vector.bytes, vector.start + 4 * index)?))
            .collect()
    }
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    at.checked_add(N)
        .and_then(|end| bytes.get(at..end))
        .and_then(|slice| slice.try_into().ok())
        .ok_or_else(|| outside(at))
}

/// The place that the unsigned offset at `at` points to.
fn follow(bytes: &[u8], at: usize) -> Result<usize> {
    let offset = u32::from_le_bytes(read(bytes, at)?) as usize;
    at.checked_add(offset).filter(|&target| target < bytes.len()).ok_or_else(|| outside(at))
}

fn outside(at: usize) -> Problem {
    Problem::Damaged(format!("it is cut short or damaged: what byte {at} points to is not in it"))
}
