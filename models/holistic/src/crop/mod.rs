//! Cuts a region out of the picture into a network's input tensor.
//!
//! Same numbers as MediaPipe's CPU path, which is OpenCV 4.10's `warpPerspective` (8-bit, bilinear): corners in float32, a
//! float64 homography through them, coordinates in 1/32 pixel, integer taps, 8-bit result. There is no half-pixel term:
//! output index 0 lies on the region's edge.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod sampler;
mod values;

use sampler::Sampler;
pub(crate) use values::{Border, Range};

use dactyl_kernels::Instructions;

use crate::frame::RgbFrame;
use crate::region::{PictureSize, Region};

/// A region in pixels as it is cut out: made square if asked for, round the same centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutout {
    /// Centre in pixels.
    pub center: [f32; 2],
    /// Width and height in pixels.
    pub size: [f32; 2],
    /// Radians.
    pub rotation: f32,
    /// Share of the tensor's width that is padding on each of the two sides.
    pub pad_x: f32,
    /// Share of the tensor's height that is padding at the top, and at the bottom.
    pub pad_y: f32,
}

impl Cutout {
    /// The region stretched over the whole tensor.
    pub fn stretched(region: &Region, picture: PictureSize) -> Self {
        Self {
            center: [region.x * picture.width, region.y * picture.height],
            size: [region.width * picture.width, region.height * picture.height],
            rotation: region.rotation,
            pad_x: 0.0,
            pad_y: 0.0,
        }
    }

    /// The region in the middle of a square tensor, its shorter side padded.
    pub fn letterboxed(region: &Region, picture: PictureSize) -> Self {
        Self::stretched(region, picture).padded()
    }

    /// The whole picture in the middle of a square tensor.
    pub fn whole(picture: PictureSize) -> Self {
        Self {
            center: [0.5 * picture.width, 0.5 * picture.height],
            size: [picture.width, picture.height],
            rotation: 0.0,
            pad_x: 0.0,
            pad_y: 0.0,
        }
        .padded()
    }

    fn padded(mut self) -> Self {
        let [width, height] = self.size;
        let aspect = height / width;
        if 1.0 > aspect {
            self.pad_y = (1.0 - aspect) / 2.0;
            self.size[1] = width;
        } else {
            self.pad_x = (1.0 - 1.0 / aspect) / 2.0;
            self.size[0] = height;
        }
        self
    }

    /// Whether the cutout lies wholly on one side of the picture, so that it shows nothing but the rim's continuation.
    pub fn is_beside(&self, picture: PictureSize) -> bool {
        let corners = self.corners();
        let beside = |axis: usize, length: f32| {
            corners.iter().all(|corner| corner[axis] < 0.0)
                || corners.iter().all(|corner| corner[axis] > length)
        };
        beside(0, picture.width) || beside(1, picture.height)
    }

    /// Corners in pixels: bottom left, top left, top right, bottom right.
    fn corners(&self) -> [[f32; 2]; 4] {
        let [x, y] = self.center;
        let [width, height] = self.size;
        let degrees = (f64::from(self.rotation * 180.0) / std::f64::consts::PI) as f32;
        let angle = f64::from(degrees) * std::f64::consts::PI / 180.0;
        let b = angle.cos() as f32 * 0.5;
        let a = angle.sin() as f32 * 0.5;
        let bottom_left = [x - a * height - b * width, y + b * height - a * width];
        let top_left = [x + a * height - b * width, y - b * height - a * width];
        let opposite = |corner: [f32; 2]| [2.0 * x - corner[0], 2.0 * y - corner[1]];
        [bottom_left, top_left, opposite(bottom_left), opposite(top_left)]
    }

    /// The map from tensor indices (u, v) to picture indices, as a homogeneous 3 x 3 matrix.
    fn map_from_tensor(&self, side: usize) -> [f64; 9] {
        let side = side as f32;
        let tensor = [[0.0, side], [0.0, 0.0], [side, 0.0], [side, side]];
        invert(homography(self.corners(), tensor))
    }
}

/// Homography that maps four points to four points; all zero but the last element if there is none.
fn homography(from: [[f32; 2]; 4], to: [[f32; 2]; 4]) -> [f64; 9] {
    let mut a = [[0.0_f64; 8]; 8];
    let mut b = [0.0_f64; 8];
    for (i, ([x, y], [u, v])) in from.into_iter().zip(to).enumerate() {
        let point = [f64::from(x), f64::from(y), 1.0];
        a[i][..3].copy_from_slice(&point);
        a[i + 4][3..6].copy_from_slice(&point);
        // Products of two float32 numbers are rounded to float32, as OpenCV's point type does.
        a[i][6] = f64::from(-x * u);
        a[i][7] = f64::from(-y * u);
        a[i + 4][6] = f64::from(-x * v);
        a[i + 4][7] = f64::from(-y * v);
        b[i] = f64::from(u);
        b[i + 4] = f64::from(v);
    }
    let mut matrix = [0.0; 9];
    if let Some(solution) = solve(a, b) {
        matrix[..8].copy_from_slice(&solution);
    }
    matrix[8] = 1.0;
    matrix
}

/// Gaussian elimination with partial pivoting, in the order of operations of OpenCV's `LUImpl`.
fn solve(mut a: [[f64; 8]; 8], mut b: [f64; 8]) -> Option<[f64; 8]> {
    for i in 0..8 {
        let mut pivot = i;
        for j in i + 1..8 {
            if a[j][i].abs() > a[pivot][i].abs() {
                pivot = j;
            }
        }
        if a[pivot][i].is_nan() || a[pivot][i].abs() < f64::EPSILON * 100.0 {
            return None;
        }
        a.swap(i, pivot);
        b.swap(i, pivot);
        let d = -1.0 / a[i][i];
        for j in i + 1..8 {
            let alpha = a[j][i] * d;
            let row = a[i];
            for (value, above) in a[j].iter_mut().zip(row).skip(i + 1) {
                *value += alpha * above;
            }
            b[j] += alpha * b[i];
        }
    }
    for i in (0..8).rev() {
        let mut sum = b[i];
        for k in i + 1..8 {
            sum -= a[i][k] * b[k];
        }
        b[i] = sum / a[i][i];
    }
    Some(b)
}

/// Inverse of a 3 x 3 matrix by cofactors; all zero if it is singular.
fn invert(m: [f64; 9]) -> [f64; 9] {
    let determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
        + m[2] * (m[3] * m[7] - m[4] * m[6]);
    if determinant == 0.0 {
        return [0.0; 9];
    }
    let d = 1.0 / determinant;
    [
        (m[4] * m[8] - m[5] * m[7]) * d,
        (m[2] * m[7] - m[1] * m[8]) * d,
        (m[1] * m[5] - m[2] * m[4]) * d,
        (m[5] * m[6] - m[3] * m[8]) * d,
        (m[0] * m[8] - m[2] * m[6]) * d,
        (m[2] * m[3] - m[0] * m[5]) * d,
        (m[3] * m[7] - m[4] * m[6]) * d,
        (m[1] * m[6] - m[0] * m[7]) * d,
        (m[0] * m[4] - m[1] * m[3]) * d,
    ]
}

/// Fills `tensor` (`side` x `side` x RGB, row-major) with the cutout's pixels.
///
/// `side` is at most 256, `tensor` holds at least `side * side * 3` values, and the frame has been checked.
pub fn cut(
    frame: &RgbFrame<'_>,
    cutout: &Cutout,
    side: usize,
    range: Range,
    border: Border,
    tensor: &mut [f32],
) {
    let instructions = Instructions::fastest().unwrap_or(Instructions::Scalar);
    cut_on(instructions, &Sampler { frame, border, range }, &cutout.map_from_tensor(side), side, tensor);
}

/// The pixels at the places that `map` gives, on instructions that the processor has.
fn cut_on(
    instructions: Instructions,
    sampler: &Sampler<'_>,
    map: &[f64; 9],
    side: usize,
    tensor: &mut [f32],
) {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 if avx2::can_cut(sampler.frame, side) => {
            // SAFETY: the processor has the instructions.
            unsafe { avx512::cut(sampler, map, side, tensor) }
        }
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 if avx2::can_cut(sampler.frame, side) => {
            // SAFETY: the processor has the instructions.
            unsafe { avx2::cut(sampler, map, side, tensor) }
        }
        _ => sampler.cut(map, side, tensor),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIDE: usize = 8;

    /// Each pixel's channels are its column, its row and 99.
    fn picture(width: u32, height: u32, stride: usize) -> Vec<u8> {
        let mut pixels = vec![7; stride * height as usize];
        for (row, bytes) in pixels.chunks_exact_mut(stride).enumerate() {
            for column in 0..width as usize {
                bytes[column * 3..column * 3 + 3].copy_from_slice(&[column as u8, row as u8, 99]);
            }
        }
        pixels
    }

    fn cut_levels(frame: &RgbFrame<'_>, cutout: &Cutout, border: Border) -> Vec<[u8; 3]> {
        let mut tensor = [0.0; SIDE * SIDE * 3];
        cut(frame, cutout, SIDE, Range::Unit, border, &mut tensor);
        let (pixels, _) = tensor.as_chunks::<3>();
        pixels.iter().map(|pixel| pixel.map(|value| (value * 255.0).round() as u8)).collect()
    }

    /// OpenCV's formula for one pixel: four taps, each looked up on its own.
    fn interpolated(frame: &RgbFrame<'_>, border: Border, range: Range, x: i32, y: i32) -> [f32; 3] {
        let tap = |column: i32, row: i32, channel: usize| {
            let nearest = (column.clamp(0, frame.width as i32 - 1), row.clamp(0, frame.height as i32 - 1));
            if border == Border::Zero && nearest != (column, row) {
                return 0;
            }
            i32::from(frame.data[nearest.1 as usize * frame.stride + nearest.0 as usize * 3 + channel])
        };
        let (column, row, a, b) = (x >> 5, y >> 5, x & 31, y & 31);
        let levels = range.levels();
        std::array::from_fn(|channel| {
            let above = tap(column, row, channel) * (32 - a) + tap(column + 1, row, channel) * a;
            let below = tap(column, row + 1, channel) * (32 - a) + tap(column + 1, row + 1, channel) * a;
            levels[((above * (32 - b) + below * b + 512) >> 10) as usize]
        })
    }

    #[test]
    fn index_zero_lies_on_the_region_s_edge() {
        let pixels = picture(40, 30, 40 * 3 + 1);
        let frame = RgbFrame::new(&pixels, 40, 30, 40 * 3 + 1).expect("consistent");
        let cutout = Cutout { center: [14.0, 9.0], size: [8.0, 8.0], rotation: 0.0, pad_x: 0.0, pad_y: 0.0 };
        let levels = cut_levels(&frame, &cutout, Border::Replicate);
        assert_eq!(levels[0], [10, 5, 99]);
        assert_eq!(levels[SIDE + 2], [12, 6, 99]);
        assert_eq!(levels[SIDE * SIDE - 1], [17, 12, 99]);
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        let pixels = picture(40, 30, 120);
        let frame = RgbFrame::new(&pixels, 40, 30, 120).expect("consistent");
        let rotation = std::f32::consts::FRAC_PI_2;
        let cutout = Cutout { center: [20.0, 15.0], size: [8.0, 8.0], rotation, pad_x: 0.0, pad_y: 0.0 };
        let levels = cut_levels(&frame, &cutout, Border::Replicate);
        // The crop's top left corner is the region's top right one, and its rows run to the left.
        assert_eq!(levels[0], [24, 11, 99]);
        assert_eq!(levels[1], [24, 12, 99]);
        assert_eq!(levels[SIDE], [23, 11, 99]);
    }

    #[test]
    fn outside_the_picture_is_its_edge_or_black() {
        let pixels = picture(4, 4, 12);
        let frame = RgbFrame::new(&pixels, 4, 4, 12).expect("consistent");
        let cutout = Cutout { center: [0.0, 0.0], size: [8.0, 8.0], rotation: 0.0, pad_x: 0.0, pad_y: 0.0 };
        let replicated = cut_levels(&frame, &cutout, Border::Replicate);
        assert_eq!(replicated[0], [0, 0, 99]);
        assert_eq!(replicated[7], [3, 0, 99]);
        assert_eq!(replicated[4 * SIDE + 6], [2, 0, 99]);
        let black = cut_levels(&frame, &cutout, Border::Zero);
        assert_eq!(black[0], [0; 3]);
        assert_eq!(black[4 * SIDE + 6], [2, 0, 99]);
    }

    #[test]
    fn a_window_is_beside_the_picture_when_no_pixel_of_it_is_inside() {
        let picture = PictureSize::new(40, 30);
        let cutout =
            |x, y, rotation| Cutout { center: [x, y], size: [8.0, 8.0], rotation, pad_x: 0.0, pad_y: 0.0 };
        assert!(cutout(20.0, 34.1, 0.0).is_beside(picture));
        assert!(!cutout(20.0, 33.9, 0.0).is_beside(picture));
        // A corner of the turned square reaches in.
        assert!(!cutout(20.0, 34.1, std::f32::consts::FRAC_PI_4).is_beside(picture));
        assert!(cutout(-4.1, 10.0, 0.0).is_beside(picture) && cutout(44.1, 10.0, 0.0).is_beside(picture));
        assert!(!cutout(f32::NAN, 10.0, 0.0).is_beside(picture));
    }

    #[test]
    fn levels_span_the_range() {
        assert_eq!(Range::Unit.levels()[0], 0.0);
        assert!((Range::Unit.levels()[255] - 1.0).abs() < 1e-6);
        assert_eq!(Range::Symmetric.levels()[0], -1.0);
        assert!((Range::Symmetric.levels()[255] - 1.0).abs() < 1e-6);
    }

    proptest! {
        /// Every pixel is what its four neighbours make of it, whatever the cutout and the processor's instructions.
        #[test]
        fn pixels_are_interpolated_between_their_four_neighbours(
            x in -20.0_f32..60.0, y in -20.0_f32..60.0, size in 0.1_f32..120.0, rotation in -3.2_f32..3.2,
            width in 1_u32..48, height in 1_u32..48, padding in 0_usize..5,
        ) {
            let stride = width as usize * 3 + padding;
            // The last row ends with its pixels.
            let pixels = &picture(width, height, stride)[padding..];
            let frame = RgbFrame::new(pixels, width, height, stride).expect("consistent");
            let cutout = Cutout { center: [x, y], size: [size, size], rotation, pad_x: 0.0, pad_y: 0.0 };
            let map = cutout.map_from_tensor(SIDE);
            let ranges = [Range::Unit, Range::Symmetric];
            for (range, border) in ranges.into_iter().zip([Border::Replicate, Border::Zero]) {
                let (mut xs, mut ys) = ([0; SIDE], [0; SIDE]);
                for instructions in Instructions::all() {
                    let mut tensor = [0.0; SIDE * SIDE * 3];
                    cut_on(instructions, &Sampler { frame: &frame, border, range }, &map, SIDE, &mut tensor);
                    for (v, row) in tensor.chunks_exact(SIDE * 3).enumerate() {
                        sampler::positions(&map, v, &mut xs, &mut ys);
                        let (row, _) = row.as_chunks::<3>();
                        for ((pixel, x), y) in row.iter().zip(xs).zip(ys) {
                            prop_assert_eq!(*pixel, interpolated(&frame, border, range, x, y));
                        }
                    }
                }
            }
        }

        #[test]
        fn no_window_reads_beyond_the_picture(
            center in prop::array::uniform2(any::<f32>()), size in prop::array::uniform2(any::<f32>()),
            rotation in any::<f32>(),
        ) {
            let pixels = picture(5, 4, 15);
            let frame = RgbFrame::new(&pixels, 5, 4, 15).expect("consistent");
            let cutout = Cutout { center, size, rotation, pad_x: 0.0, pad_y: 0.0 };
            let _ = cut_levels(&frame, &cutout, Border::Replicate);
            let _ = cut_levels(&frame, &cutout, Border::Zero);
        }
    }
}
