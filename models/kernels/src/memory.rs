//! Memory on the lines of a processor's caches.

use std::sync::{Mutex, PoisonError};

use aligned_vec::AVec;

/// Bytes in a line of a processor's caches: no vector lies across two of them.
pub(crate) const CACHE_LINE: usize = 64;
/// Values in such a line.
pub(crate) const CACHE_LINE_VALUES: usize = CACHE_LINE / size_of::<f32>();

/// The values from the start of a cache line on.
pub(crate) fn aligned(values: &[f32]) -> AVec<f32> {
    AVec::from_slice(CACHE_LINE, values)
}

/// What lies between the layers of a run. All networks use the same ones in turn, as many as there are runs at the same
/// time.
pub(crate) struct Values(pub(crate) AVec<f32>);

pub(crate) static VALUES: Mutex<Vec<Values>> = Mutex::new(Vec::new());

impl Values {
    /// At least so many.
    pub(crate) fn take(length: usize) -> Self {
        let spare = VALUES.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(values) if values.0.len() >= length => values,
            // A new one, as what lies in the old one need not be kept.
            _ => Self(AVec::from_iter(CACHE_LINE, std::iter::repeat_n(0.0, length))),
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let values = Self(std::mem::replace(&mut self.0, AVec::new(CACHE_LINE)));
        VALUES.lock().unwrap_or_else(PoisonError::into_inner).push(values);
    }
}
