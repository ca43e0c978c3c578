//! What a single instruction does on a processor, but not what [`pulp`] makes of it in WebAssembly.

#[cfg(not(target_arch = "wasm32"))]
use pulp::Simd;

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::wasm::{max, min, mul_add};

/// `a * b + c`, rounded once.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
pub(crate) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_add_f32s(a, b, c)
}

/// The greater of each two numbers.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
pub(crate) fn max<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.max_f32s(a, b)
}

/// The lesser of each two numbers.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
pub(crate) fn min<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.min_f32s(a, b)
}
