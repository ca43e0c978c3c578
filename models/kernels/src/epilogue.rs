//! What a layer does to its sums before it writes them: activation, and the addition that ends a residual block.

use pulp::Simd;

use crate::arithmetic;

/// What happens to each sum, in this order.
#[derive(Clone, Debug)]
pub(crate) struct Epilogue {
    /// The layer's own activation.
    pub(crate) activation: Activation,
    /// A feature map that is added, which may have fewer channels.
    pub(crate) residual: Option<usize>,
    /// An activation after that.
    pub(crate) then: Activation,
}

#[derive(Clone, Debug)]
pub(crate) enum Activation {
    None,
    /// The least and the greatest value.
    Clamp(f32, f32),
    /// A factor for negative values, by channel; as many as the feature map has values in a pixel.
    Prelu(Vec<f32>),
}

impl Epilogue {
    pub(crate) fn new(activation: Activation) -> Self {
        Self { activation, residual: None, then: Activation::None }
    }

    /// Applies it to N vectors of channels of M pixels; `residual` gives what is added to a pixel's vector, if anything.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        sums: &mut [[S::f32s; N]; M],
        vector: usize,
        residual: impl Fn(usize, usize) -> Option<S::f32s>,
    ) {
        self.activation.apply(simd, sums, vector);
        if self.residual.is_some() {
            for m in 0..M {
                for n in 0..N {
                    if let Some(residual) = residual(m, n) {
                        sums[m][n] = simd.add_f32s(sums[m][n], residual);
                    }
                }
            }
        }
        self.then.apply(simd, sums, vector);
    }
}

impl Activation {
    /// Applies it to the N vectors from that index on of M pixels.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        sums: &mut [[S::f32s; N]; M],
        vector: usize,
    ) {
        match self {
            Self::None => {}
            Self::Clamp(low, high) => {
                let (low, high) = (simd.splat_f32s(*low), simd.splat_f32s(*high));
                for m in 0..M {
                    for n in 0..N {
                        sums[m][n] = arithmetic::min(simd, arithmetic::max(simd, sums[m][n], low), high);
                    }
                }
            }
            Self::Prelu(slopes) => {
                let slopes = &S::as_simd_f32s(slopes).0[vector..vector + N];
                for m in 0..M {
                    for n in 0..N {
                        let value = sums[m][n];
                        let negative = simd.less_than_f32s(value, simd.splat_f32s(0.0));
                        sums[m][n] = simd.select_f32s(negative, simd.mul_f32s(value, slopes[n]), value);
                    }
                }
            }
        }
    }
}
