use thiserror::Error;

use super::{MAX_SIDE, Sampling};

/// Why a picture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JpegError {
    /// The bytes start like something else.
    #[error(
        "not a JPEG but {0}: a JPEG starts with the bytes FF D8; encode the picture as JPEG, \
         in a browser with canvas.toBlob(..., \"image/jpeg\")"
    )]
    NotJpeg(&'static str),
    /// The bytes end before the picture does.
    #[error(
        "truncated JPEG: its {length} bytes end {place}, before the end marker FF D9; send the whole file in one message"
    )]
    Truncated {
        /// Bytes there are.
        length: usize,
        /// What they end in.
        place: &'static str,
    },
    /// The bytes contradict the format.
    #[error("damaged JPEG: {problem} at byte {offset}; send the file as the encoder wrote it")]
    Damaged {
        /// What is wrong.
        problem: &'static str,
        /// Where, counted from 0.
        offset: usize,
    },
    /// A kind of JPEG that is not decoded here.
    #[error("{0} JPEG is not supported: send an 8-bit baseline or progressive JPEG, grey or YCbCr")]
    Unsupported(&'static str),
    /// Sampling factors that are not decoded here.
    #[error(
        "{colours} JPEG with the sampling factors {sampling} and a width of {width} is not supported: encode the picture \
         as 4:2:0, which is YCbCr with 2x2,1x1,1x1"
    )]
    UnsupportedSampling {
        /// `RGB` or `YCbCr`.
        colours: &'static str,
        /// The factors.
        sampling: Sampling,
        /// Width of the header.
        width: u16,
    },
    /// Width or height is 0.
    #[error("empty JPEG: the header says {width} x {height} pixels; both must be at least 1")]
    Empty {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
    },
    /// More pixels than [`Limits::max_pixels`].
    #[error(
        "{width} x {height} is {} pixels, more than the {max_pixels} allowed (server.max_pixels): send a smaller \
         picture, 640 x 480 is enough",
        u64::from(*width) * u64::from(*height)
    )]
    TooManyPixels {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
        /// The limit.
        max_pixels: u32,
    },
    /// A side of more than [`MAX_SIDE`].
    #[error(
        "{width} x {height} pixels: a side of more than {MAX_SIDE} is not decoded: send a smaller picture, 640 x 480 \
         is enough"
    )]
    SideTooLong {
        /// Width of the header.
        width: u16,
        /// Height of the header.
        height: u16,
    },
    /// More scans than [`Limits::max_scans`].
    #[error(
        "more than {max_scans} scans (server.max_scans): encode the picture as baseline JPEG, or with fewer scans"
    )]
    TooManyScans {
        /// The limit.
        max_scans: u32,
    },
}
