//! The orientation in Exif metadata, which are a TIFF file: a byte order, and directories of fields of twelve bytes.

use gst_video::VideoOrientationMethod;

/// The field "Orientation" (Exif 2.32, 4.6.4), one number of 16 bits.
const TAG: u16 = 0x0112;
/// The field type of such numbers.
const SHORT: u16 = 3;

/// What makes the picture upright. `None` if the metadata do not say it as the standard has it.
pub(super) fn orientation(tiff: &[u8]) -> Option<VideoOrientationMethod> {
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |bytes: &[u8]| {
        let bytes = *bytes.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |bytes: &[u8]| {
        let bytes = *bytes.first_chunk()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = tiff.get(usize::try_from(long(&tiff[4..])?).ok()?..)?;
    let mut fields = directory.get(2..)?.chunks_exact(12).take(usize::from(short(directory)?));
    let field = fields.find(|field| {
        short(field) == Some(TAG) && short(&field[2..]) == Some(SHORT) && long(&field[4..]) == Some(1)
    })?;
    Some(match short(&field[8..])? {
        1 => VideoOrientationMethod::Identity,
        2 => VideoOrientationMethod::Horiz,
        3 => VideoOrientationMethod::_180,
        4 => VideoOrientationMethod::Vert,
        5 => VideoOrientationMethod::UlLr,
        6 => VideoOrientationMethod::_90r,
        7 => VideoOrientationMethod::UrLl,
        8 => VideoOrientationMethod::_90l,
        _ => return None,
    })
}
