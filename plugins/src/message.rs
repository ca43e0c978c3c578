//! Element messages: what an element has seen in a frame, for whoever listens on the bus.

use dactyl_holistic::keypoints::{self, Keypoints};
use gst::glib;
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

/// The message of `holistic-keypoints` about the landmarks of a frame; `bytes` are these as the caps have them. For those too
/// that come into a pipeline from elsewhere. `is_hand_alone` says whether their hand was found without a body.
pub fn of_keypoints(
    pad: &gst::Pad,
    buffer: &gst::BufferRef,
    keypoints: &Keypoints,
    is_hand_alone: bool,
    bytes: &[u8],
) -> gst::Structure {
    about(pad, "holistic-keypoints", buffer)
        .field("pose", keypoints.is_present(keypoints::POSE))
        .field("face", keypoints.is_present(keypoints::FACE))
        .field("left-hand", keypoints.is_present(keypoints::LEFT_HAND))
        .field("right-hand", keypoints.is_present(keypoints::RIGHT_HAND))
        .field("hand-alone", is_hand_alone)
        .field("landmarks", glib::Bytes::from(bytes))
        .build()
}

/// Posts a message. An element outside of a pipeline has no bus, and then nobody listens.
pub(crate) fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure).src(element.upcast_ref()).build();
    let _ = element.post_message(message);
}
