//! Pictures in buffers with the caps of [`crate::caps::video`].

use dactyl_holistic::{I420Frame, Plane, RgbFrame};
use gst_video::prelude::*;

/// Maps a picture, unless the buffer is smaller than the picture that it is said to hold.
pub fn map<'a>(
    buffer: &'a gst::BufferRef,
    info: &gst_video::VideoInfo,
) -> Option<gst_video::VideoFrameRef<&'a gst::BufferRef>> {
    // GStreamer checks the size against caps, but not against the strides of a video meta.
    if let Some(meta) = buffer.meta::<gst_video::VideoMeta>() {
        // A picture in several memories is refused: only the first of them would be mapped.
        if meta.format() != info.format() || buffer.n_memory() != 1 {
            return None;
        }
        let format = info.format_info();
        let planes = usize::try_from(format.n_planes()).ok()?;
        let (strides, offsets) = (meta.stride().get(..planes)?, meta.offset().get(..planes)?);
        // In the formats that are taken, a plane's number is that of its component.
        for ((plane, stride), offset) in (0..).zip(strides).zip(offsets) {
            let rows = usize::try_from(format.scale_height(plane, meta.height())).ok()?;
            let end = usize::try_from(*stride).ok()?.checked_mul(rows)?.checked_add(*offset)?;
            if end > buffer.size() {
                return None;
            }
        }
    }
    gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()
}

/// The picture as RGB: its own pixels if it is that already, else written to `pixels`, whatever they hold. `None` if it is
/// empty, upside down or over [`RgbFrame::MAX_SIDE`].
pub fn rgb<'a>(
    frame: &'a gst_video::VideoFrameRef<&gst::BufferRef>,
    pixels: &'a mut Vec<u8>,
) -> Option<RgbFrame<'a>> {
    let (width, height) = (frame.width(), frame.height());
    let plane = |index: u8| {
        let stride = usize::try_from(*frame.plane_stride().get(usize::from(index))?).ok()?;
        Some(Plane { data: frame.plane_data(index.into()).ok()?, stride })
    };
    let first = plane(0)?;
    if frame.format() == gst_video::VideoFormat::I420 {
        let picture = I420Frame::new([first, plane(1)?, plane(2)?], width, height).ok()?;
        Some(picture.to_rgb(pixels))
    } else {
        RgbFrame::new(first.data, width, height, first.stride).ok()
    }
}
