//! The frame header: size, components, and how each of them is sampled.

use super::tables::Tables;
use super::{JpegError, Limits, MAX_SIDE, SOF_BASELINE, SOF_PROGRESSIVE, Sampling, damaged};

#[derive(Clone, Copy, Default)]
struct Component {
    id: u8,
    horizontal: u8,
    vertical: u8,
    quantisation: u8,
    seen: bool,
}

pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) progressive: bool,
    baseline: bool,
    /// Number of components, 1 or 3.
    pub(super) count: u8,
    all: [Component; 3],
    /// Where the sampling factors of the first component stand.
    factors_at: usize,
}

impl Frame {
    pub(super) fn read(segment: &[u8], offset: usize, marker: u8, limits: Limits) -> Result<Self, JpegError> {
        let [precision, y1, y0, x1, x0, count, specifications @ ..] = segment else {
            return Err(damaged("a frame header that is too short", offset));
        };
        match precision {
            8 => {}
            12 => return Err(JpegError::Unsupported("12-bit")),
            _ => return Err(damaged("a sample precision that does not exist", offset)),
        }
        match count {
            1 | 3 => {}
            4 => return Err(JpegError::Unsupported("CMYK (four-component)")),
            2 => return Err(JpegError::Unsupported("two-component")),
            _ => return Err(JpegError::Unsupported("many-component")),
        }
        if specifications.len() != usize::from(*count) * 3 {
            return Err(damaged("a frame header of the wrong length", offset));
        }
        let height = u16::from_be_bytes([*y1, *y0]);
        let width = u16::from_be_bytes([*x1, *x0]);
        if width == 0 || height == 0 {
            return Err(JpegError::Empty { width, height });
        }
        // At most 65535 squared, which fits.
        if u32::from(width) * u32::from(height) > limits.max_pixels {
            return Err(JpegError::TooManyPixels { width, height, max_pixels: limits.max_pixels });
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(JpegError::SideTooLong { width, height });
        }
        let mut all = [Component::default(); 3];
        for (component, specification) in all.iter_mut().zip(specifications.chunks_exact(3)) {
            *component = Component {
                id: specification[0],
                horizontal: specification[1] >> 4,
                vertical: specification[1] & 15,
                quantisation: specification[2],
                seen: false,
            };
        }
        let frame = Self {
            width,
            height,
            progressive: marker == SOF_PROGRESSIVE,
            baseline: marker == SOF_BASELINE,
            count: *count,
            all,
            // After precision, height, width, number of components, and the first one's name.
            factors_at: offset + 7,
        };
        frame.check_components(offset)?;
        Ok(frame)
    }

    fn components(&self) -> &[Component] {
        &self.all[..usize::from(self.count)]
    }

    fn check_components(&self, offset: usize) -> Result<(), JpegError> {
        let components = self.components();
        for (index, component) in components.iter().enumerate() {
            if !(1..=4).contains(&component.horizontal) || !(1..=4).contains(&component.vertical) {
                return Err(damaged("a sampling factor that is not 1 to 4", offset));
            }
            if component.quantisation > 3 {
                return Err(damaged("a quantisation table that cannot exist", offset));
            }
            if components[..index].iter().any(|other| other.id == component.id) {
                return Err(damaged("two components with one name", offset));
            }
        }
        Ok(())
    }

    /// Whether there is image data of every component.
    pub(super) fn is_complete(&self) -> bool {
        self.components().iter().all(|component| component.seen)
    }

    /// The names of three components.
    pub(super) fn names(&self) -> [u8; 3] {
        self.all.map(|component| component.id)
    }

    /// Where the sampling factors of a grey picture stand, unless they are 1x1.
    pub(super) fn grey_factors_at(&self) -> Option<usize> {
        let [grey, ..] = self.all;
        (self.count == 1 && (grey.horizontal, grey.vertical) != (1, 1)).then_some(self.factors_at)
    }

    /// Refuses what `jpegdec` decodes wrongly, in version 1.22 at least. It halves both sides of Cb and Cr as if these were
    /// always sampled 1x1 and Y 1x1, 2x1, 1x2 or 2x2. Otherwise it puts colours in wrong places, ends its pipeline, or gives
    /// out planes that it never wrote, with whatever their memory held. One more is right where it decodes in place: 4:2:2
    /// as FFmpeg writes it, in whole units of 16 pixels. RGB it decodes only if nothing is subsampled.
    pub(super) fn check_sampling(&self, is_rgb: bool) -> Result<(), JpegError> {
        let sampling = Sampling(self.all.map(|component| [component.horizontal, component.vertical]));
        let Sampling([luma, first, second]) = sampling;
        let is_decoded = match (first, second) {
            _ if self.count == 1 => true,
            ([1, 1], [1, 1]) if is_rgb => luma == [1, 1],
            ([1, 1], [1, 1]) => luma[0] <= 2 && luma[1] <= 2,
            ([1, 2], [1, 2]) => !is_rgb && luma == [2, 2] && self.width.is_multiple_of(16),
            _ => false,
        };
        if is_decoded {
            return Ok(());
        }
        let colours = if is_rgb { "RGB" } else { "YCbCr" };
        Err(JpegError::UnsupportedSampling { colours, sampling, width: self.width })
    }

    pub(super) fn check_scan(
        &mut self,
        segment: &[u8],
        offset: usize,
        tables: &Tables,
    ) -> Result<(), JpegError> {
        let Some((&count, rest)) = segment.split_first() else {
            return Err(damaged("an empty scan header", offset));
        };
        let selectors = usize::from(count) * 2;
        if count == 0 || count > self.count || rest.len() != selectors + 3 {
            return Err(damaged("a scan header of the wrong length", offset));
        }
        let (selectors, parameters) = rest.split_at(selectors);
        let [first, last, approximation] = [parameters[0], parameters[1], parameters[2]];
        if self.progressive {
            check_progression(count, first, last, approximation, offset)?;
        }
        let mut previous = None;
        for selector in selectors.chunks_exact(2) {
            let (id, dc, ac) = (selector[0], selector[1] >> 4, selector[1] & 15);
            let found = self.components().iter().position(|component| component.id == id);
            let Some(index) = found.filter(|&index| previous.is_none_or(|previous| index > previous)) else {
                return Err(damaged("a scan of components that the frame header does not list so", offset));
            };
            previous = Some(index);
            let most = if self.baseline { 1 } else { 3 };
            if dc > most || ac > most {
                return Err(damaged("a scan with a Huffman table that cannot exist", offset));
            }
            let component = &mut self.all[index];
            component.seen = true;
            // A refining scan of DC coefficients is raw bits.
            let needs_dc = first == 0 && approximation >> 4 == 0 || !self.progressive;
            let needs_ac = first > 0 || !self.progressive;
            if needs_dc && !tables.has_huffman(0, dc) || needs_ac && !tables.has_huffman(1, ac) {
                return Err(damaged("a scan whose Huffman table is missing", offset));
            }
            if !tables.has_quantisation(component.quantisation) {
                return Err(damaged("a scan whose quantisation table is missing", offset));
            }
        }
        Ok(())
    }
}

/// The rules of T.81, G.1.1.1.
fn check_progression(
    count: u8,
    first: u8,
    last: u8,
    approximation: u8,
    offset: usize,
) -> Result<(), JpegError> {
    let (high, low) = (approximation >> 4, approximation & 15);
    let band = if first == 0 { last == 0 } else { first <= last && last < 64 && count == 1 };
    if !band || low > 13 || high != 0 && high != low + 1 {
        return Err(damaged("a progressive scan that refines nothing that exists", offset));
    }
    Ok(())
}
