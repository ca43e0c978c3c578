//! Element messages: what an element has seen in a frame, for whoever listens on the bus.

use gst::prelude::*;

use crate::frame;

/// The beginning of a message named after the element: times of the frame in nanoseconds (`timestamp`, `stream-time`,
/// `running-time`, each only where it is known), as GStreamer's own analysers name them, and the frame's `id`.
pub(crate) fn about(pad: &gst::Pad, name: &'static str, buffer: &gst::BufferRef) -> gst::structure::Builder {
    let segment = pad.sticky_event::<gst::event::Segment>(0);
    let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>());
    let times = [
        ("timestamp", buffer.pts()),
        ("stream-time", segment.and_then(|segment| segment.to_stream_time(buffer.pts()))),
        ("running-time", segment.and_then(|segment| segment.to_running_time(buffer.pts()))),
    ];
    let mut message = gst::Structure::builder(name);
    for (field, time) in times {
        if let Some(time) = time {
            message = message.field(field, time);
        }
    }
    if let Some(record) = frame::of(buffer) {
        message = message.field("id", record.id);
    }
    message
}

/// Posts a message. An element outside of a pipeline has no bus, and then nobody listens.
pub(crate) fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure).src(element.upcast_ref()).build();
    let _ = element.post_message(message);
}
