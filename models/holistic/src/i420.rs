//! From the planes that JPEG decoders give to RGB.

use dactyl_kernels::Instructions;

use crate::frame::{FrameError, Plane, RgbFrame};

/// A picture as a JPEG holds it: 8-bit Y'CbCr of full range (ITU-R BT.601 matrix), rows from the top, one Cb and one Cr
/// value in the middle of 2 x 2 pixels.
#[derive(Debug, Clone, Copy)]
pub struct I420Frame<'a> {
    planes: [Plane<'a>; 3],
    width: usize,
    height: usize,
}

impl<'a> I420Frame<'a> {
    /// A picture of `width` x `height` pixels in the planes Y', Cb and Cr. Those of the colours have half the width and
    /// height, rounded up.
    ///
    /// # Errors
    /// [`FrameError`] if a side is 0 or over [`RgbFrame::MAX_SIDE`], rows overlap or a plane is too short. The last row of
    /// a plane needs no bytes after its values.
    pub fn new(planes: [Plane<'a>; 3], width: u32, height: u32) -> Result<Self, FrameError> {
        let [w, h] = [width as usize, height as usize];
        let [brightness, colours @ ..] = &planes;
        let holds = RgbFrame::can_be(width, height)
            && brightness.holds(w, h)
            && colours.iter().all(|plane| plane.holds(w.div_ceil(2), h.div_ceil(2)));
        if holds {
            Ok(Self { planes, width: w, height: h })
        } else {
            let length = planes.iter().map(|plane| plane.data.len()).sum();
            Err(FrameError { format: "I420", width, height, stride: brightness.stride, length })
        }
    }

    /// The same picture as RGB, in `pixels`, whatever they hold.
    ///
    /// The values are those of libjpeg-turbo ("fancy upsampling", colour conversion in integers), but in pictures of up to 4
    /// pixels in width, where libjpeg does not interpolate.
    pub fn to_rgb<'b>(&self, pixels: &'b mut Vec<u8>) -> RgbFrame<'b> {
        let stride = self.width * 3;
        pixels.resize(stride * self.height, 0);
        self.convert_on(Instructions::fastest().unwrap_or(Instructions::Scalar), pixels);
        RgbFrame { data: pixels, width: self.width as u32, height: self.height as u32, stride }
    }

    /// As [`Self::convert`], on instructions that the processor has.
    fn convert_on(&self, instructions: Instructions, pixels: &mut [u8]) {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has the instructions.
            Instructions::Avx512 => unsafe { self.convert_with_avx512(pixels) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has the instructions.
            Instructions::Avx2 => unsafe { self.convert_with_avx2(pixels) },
            _ => self.convert(pixels),
        }
    }

    /// As [`Self::convert`], compiled for more instructions.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn convert_with_avx512(&self, pixels: &mut [u8]) {
        self.convert(pixels);
    }

    /// As [`Self::convert`], compiled for more instructions.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn convert_with_avx2(&self, pixels: &mut [u8]) {
        self.convert(pixels);
    }

    #[inline(always)]
    fn convert(&self, pixels: &mut [u8]) {
        let [columns, rows] = [self.width.div_ceil(2), self.height.div_ceil(2)];
        let mut sums = vec![0; columns + 2];
        let mut colours = [vec![0; columns * 2], vec![0; columns * 2]];
        for (y, pixels) in pixels.chunks_exact_mut(self.width * 3).enumerate() {
            // The row of colours that covers this one, and the next one on the other side of this one.
            let near = y / 2;
            let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(rows - 1) };
            for (plane, row) in self.planes[1..].iter().zip(&mut colours) {
                upsample(plane.row(near, columns), plane.row(far, columns), &mut sums, row);
            }
            let [blue, red] = &colours;
            to_rgb(self.planes[0].row(y, self.width), blue, red, pixels);
        }
    }
}

/// Colours less 128 for each pixel of a row: three quarters of the nearer value and one of the farther, down and across.
#[inline(always)]
fn upsample(near: &[u8], far: &[u8], sums: &mut [i16], row: &mut [i16]) {
    let columns = near.len();
    for ((sum, near), far) in sums[1..].iter_mut().zip(near).zip(far) {
        *sum = 3 * i16::from(*near) + i16::from(*far);
    }
    // Beyond the picture lies what lies at its border.
    sums[0] = sums[1];
    sums[columns + 1] = sums[columns];
    let (pairs, _) = row.as_chunks_mut::<2>();
    let neighbours = sums.iter().zip(&sums[1..]).zip(&sums[2..]);
    for (pair, ((left, sum), right)) in pairs.iter_mut().zip(neighbours) {
        *pair = [((3 * sum + left + 8) >> 4) - 128, ((3 * sum + right + 7) >> 4) - 128];
    }
}

/// A row of pixels, by the matrix of the JPEG File Interchange Format: R = Y + 1.402 Cr, G = Y - 0.34414 Cb - 0.71414 Cr,
/// B = Y + 1.772 Cb, with factors in 1/65536, rounded to nearest.
#[inline(always)]
fn to_rgb(brightness: &[u8], blue: &[i16], red: &[i16], pixels: &mut [u8]) {
    // round(value * factor), for a factor that 16 bits can hold.
    let scaled = |value: i16, factor: i16| {
        let doubled = ((i32::from(2 * value) * i32::from(factor)) >> 16) as i16;
        (doubled + 1) >> 1
    };
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    for (((pixel, y), cb), cr) in pixels.iter_mut().zip(brightness).zip(blue).zip(red) {
        let (y, cb, cr) = (i16::from(*y), *cb, *cr);
        // 1.402 = 1 + 0.402, 0.71414 = 1 - 0.28586 and 1.772 = 2 - 0.228.
        let r = y + cr + scaled(cr, 26_345);
        let less = (i32::from(cr) * 18_734 - i32::from(cb) * 22_554 + 32_768) >> 16;
        let g = y - cr + less as i16;
        let b = y + 2 * cb + scaled(cb, -14_942);
        *pixel = [r, g, b].map(|level| level.clamp(0, 255) as u8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The matrix of the JPEG File Interchange Format, and colours in the middle of 2 x 2 pixels interpolated linearly, in
    /// real numbers.
    fn expected(planes: &[Vec<u8>; 3], width: usize, height: usize, x: usize, y: usize) -> [f64; 3] {
        let (columns, rows) = (width.div_ceil(2), height.div_ceil(2));
        let colour = |plane: &[u8]| {
            let at = |column: isize, row: isize| {
                let column = column.clamp(0, columns as isize - 1) as usize;
                let row = row.clamp(0, rows as isize - 1) as usize;
                f64::from(plane[row * columns + column]) - 128.0
            };
            let other = |position: usize| if position.is_multiple_of(2) { -1 } else { 1 };
            let (column, row) = ((x / 2) as isize, (y / 2) as isize);
            let (beside, below) = (column + other(x), row + other(y));
            let near = 0.75 * at(column, row) + 0.25 * at(column, below);
            0.75 * near + 0.25 * (0.75 * at(beside, row) + 0.25 * at(beside, below))
        };
        let level = f64::from(planes[0][y * width + x]);
        let (cb, cr) = (colour(&planes[1]), colour(&planes[2]));
        [level + 1.402 * cr, level - 0.34414 * cb - 0.71414 * cr, level + 1.772 * cb]
    }

    proptest! {
        /// Colours are rounded before they meet the matrix: off by half a step, times 1.772, and the result by another half.
        #[test]
        fn pixels_are_the_matrix_of_interpolated_colours(
            (width, height) in (1_usize..40, 1_usize..20), bytes in prop::collection::vec(any::<u8>(), 101),
        ) {
            let plane = |skipped, values| bytes.iter().copied().cycle().skip(skipped).take(values).collect();
            let (columns, rows) = (width.div_ceil(2), height.div_ceil(2));
            let planes: [Vec<u8>; 3] = [plane(0, width * height), plane(30, columns * rows), plane(60, columns * rows)];
            let strides = [width, columns, columns];
            let borrowed = std::array::from_fn(|index| Plane { data: &planes[index], stride: strides[index] });
            let frame = I420Frame::new(borrowed, width as u32, height as u32).expect("consistent");
            let mut pixels = vec![7; 5];
            frame.to_rgb(&mut pixels);
            for instructions in Instructions::all() {
                let mut same = vec![0; width * height * 3];
                frame.convert_on(instructions, &mut same);
                prop_assert_eq!(&pixels, &same, "{:?}", instructions);
            }
            let (pixels, _) = pixels.as_chunks::<3>();
            for (index, pixel) in pixels.iter().enumerate() {
                let expected = expected(&planes, width, height, index % width, index / width);
                for (level, expected) in pixel.iter().zip(expected) {
                    prop_assert!((f64::from(*level) - expected.clamp(0.0, 255.0)).abs() <= 1.4, "{pixel:?} {expected:?}");
                }
            }
        }
    }

    #[test]
    fn planes_that_are_too_short_are_no_picture() {
        let (brightness, colour) = ([0; 15], [0; 6]);
        let planes = |length: usize, stride: usize| {
            let colours = Plane { data: &colour[..length], stride };
            [Plane { data: &brightness, stride: 5 }, colours, colours]
        };
        assert!(I420Frame::new(planes(6, 3), 5, 3).is_ok());
        assert!(I420Frame::new(planes(5, 3), 5, 3).is_err());
        assert!(I420Frame::new(planes(6, 2), 5, 3).is_err());
        assert!(I420Frame::new(planes(6, 3), 0, 3).is_err());
        let error = I420Frame::new(planes(6, 3), 5, 4).expect_err("four rows");
        assert_eq!(error.to_string(), "27 bytes are no 5 x 4 I420 picture with rows of 5 bytes");
    }
}
