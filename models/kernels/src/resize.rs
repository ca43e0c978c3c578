//! Enlargement with bilinear interpolation, pixel centres at halves.

use pulp::{Simd, WithSimd};

use crate::feature_map::FeatureMap;

#[derive(Debug)]
pub(crate) struct Resize {
    pub(crate) input: usize,
    pub(crate) output: usize,
    rows: Vec<Between>,
    columns: Vec<Between>,
}

/// The two rows or columns that one of the output lies between, and how far it is to the second, 0 to 1.
#[derive(Debug, PartialEq)]
struct Between(usize, usize, f32);

impl Resize {
    /// Sizes are rows and columns.
    pub(crate) fn new([input, output]: [usize; 2], from: [usize; 2], to: [usize; 2]) -> Self {
        let [rows, columns] = [0, 1].map(|axis| between(from[axis], to[axis]));
        Self { input, output, rows, columns }
    }
}

/// What each of `to` rows or columns lies between.
fn between(from: usize, to: usize) -> Vec<Between> {
    let scale = from as f32 / to as f32;
    let lies = |at: usize| {
        let place = (at as f32 * scale + (0.5 * scale - 0.5)).max(0.0);
        let first = (place as usize).min(from - 1);
        Between(first, (first + 1).min(from - 1), place - first as f32)
    };
    (0..to).map(lies).collect()
}

/// One run of a layer.
pub(crate) struct Run<'a> {
    pub(crate) layer: &'a Resize,
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((map, input), (output_map, output)) = (self.input, self.output);
        let (from, to) = (map.width * map.block, output_map.width * output_map.block);
        for block in 0..output_map.blocks() {
            let input = &input[block * map.block_stride()..][..map.block_stride()];
            let output = &mut output[block * output_map.block_stride()..][..output_map.block_stride()];
            for (y, &Between(top, bottom, down)) in self.layer.rows.iter().enumerate() {
                let down = simd.splat_f32s(down);
                let top = S::as_simd_f32s(&input[map.at(top, 0)..][..from]).0;
                let bottom = S::as_simd_f32s(&input[map.at(bottom, 0)..][..from]).0;
                let row = S::as_mut_simd_f32s(&mut output[output_map.at(y, 0)..][..to]).0;
                for (value, &Between(left, right, along)) in row.iter_mut().zip(&self.layer.columns) {
                    let along = simd.splat_f32s(along);
                    let upper = toward(simd, top[left], top[right], along);
                    let lower = toward(simd, bottom[left], bottom[right], along);
                    *value = toward(simd, upper, lower, down);
                }
            }
        }
    }
}

/// That share of the way from one value to another.
#[inline(always)]
fn toward<S: Simd>(simd: S, from: S::f32s, to: S::f32s, share: S::f32s) -> S::f32s {
    simd.add_f32s(from, simd.mul_f32s(simd.sub_f32s(to, from), share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_lie_at_halves_and_edges_are_repeated() {
        let expected = [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 2, 0.25), (1, 2, 0.75), (2, 2, 0.25)];
        assert_eq!(between(3, 6), expected.map(|(first, second, share)| Between(first, second, share)));
    }
}
