//! WebAssembly: a file has the vectors that it was compiled for, and a browser without them refuses it as a whole. So kernels are
//! compiled for them alone, which halves the file.

use std::arch::wasm32::{f32x4_pmax, f32x4_pmin, v128};
use std::mem::transmute_copy;

use pulp::{Simd, WithSimd};

#[cfg(target_feature = "relaxed-simd")]
type Vectors = pulp::wasm::RelaxedSimd;
#[cfg(not(target_feature = "relaxed-simd"))]
type Vectors = pulp::wasm::Simd128;

/// What kernels are dispatched with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arch(Vectors);

impl Arch {
    pub(crate) fn new() -> Self {
        // SAFETY: who runs this has the instructions that it is compiled for.
        Self(unsafe { Vectors::new_unchecked() })
    }

    /// Runs `op` with the vectors.
    #[inline(always)]
    pub(crate) fn dispatch<Op: WithSimd>(self, op: Op) -> Op::Output {
        Simd::vectorize(self.0, op)
    }
}

/// `a * b + c`, rounded once where there is relaxed SIMD and the browser's processor can: nearly everywhere.
#[inline(always)]
pub(crate) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(a, b, c)
}

/// The greater of each two numbers, as x86's MAXPS, which this becomes there; WebAssembly's other maximum, which looks after NaN,
/// becomes seven instructions.
#[inline(always)]
pub(crate) fn max<S: Simd>(_: S, a: S::f32s, b: S::f32s) -> S::f32s {
    // Where neither number is greater, x86 takes the second and WebAssembly the first.
    from_v128::<S>(f32x4_pmax(v128_of::<S>(b), v128_of::<S>(a)))
}

/// The lesser of each two numbers, likewise.
#[inline(always)]
pub(crate) fn min<S: Simd>(_: S, a: S::f32s, b: S::f32s) -> S::f32s {
    from_v128::<S>(f32x4_pmin(v128_of::<S>(b), v128_of::<S>(a)))
}

#[inline(always)]
fn v128_of<S: Simd>(vector: S::f32s) -> v128 {
    const { assert!(size_of::<S::f32s>() == size_of::<v128>()) };
    // SAFETY: both are 16 bytes, of which all values are good.
    unsafe { transmute_copy(&vector) }
}

#[inline(always)]
fn from_v128<S: Simd>(vector: v128) -> S::f32s {
    const { assert!(size_of::<S::f32s>() == size_of::<v128>()) };
    // SAFETY: both are 16 bytes, of which all values are good.
    unsafe { transmute_copy(&vector) }
}
