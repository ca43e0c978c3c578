//! What the elements' pads have in common: one always-pad on either side, results that keep their frame's times and
//! metas, and a GAP for every frame that is withheld.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gst::subclass::prelude::*;

/// An element with one sink pad and one source pad.
///
/// The elements are not made from `GstBaseTransform`: they withhold buffers, answer events with buffers, and have to
/// react to a flush from another thread while a frame is being worked on.
pub(crate) trait Filter: ElementImpl {
    /// Flags of both pads.
    const FLAGS: gst::PadFlags = gst::PadFlags::empty();

    /// Takes a buffer on the streaming thread.
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError>;

    /// Takes an event: on the streaming thread if it is serialized, on any thread if not.
    fn sink_event(&self, event: gst::Event) -> bool;

    /// Answers a query from upstream.
    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }
}

/// The two pads of a [`Filter`].
pub(crate) struct Pads {
    pub sink: gst::Pad,
    pub src: gst::Pad,
}

impl Pads {
    /// Pads from the element's templates, the sink first, as [`always_pads`] makes them.
    pub fn new<T: Filter>() -> Self
    where
        T::Type: IsA<gst::Element>,
    {
        let [sink, src] = T::pad_templates() else {
            unreachable!("a filter has two pads");
        };
        let sink = gst::Pad::builder_from_template(sink)
            .chain_function(|_, parent, buffer| {
                T::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |element| element.chain(buffer),
                )
            })
            .event_function(|_, parent, event| {
                T::catch_panic_pad_function(parent, || false, |element| element.sink_event(event))
            })
            .query_function(|pad, parent, query| {
                T::catch_panic_pad_function(parent, || false, |element| element.sink_query(pad, query))
            })
            .flags(T::FLAGS)
            .build();
        let src = gst::Pad::builder_from_template(src).flags(T::FLAGS).build();
        Self { sink, src }
    }

    /// Adds the pads to their element.
    pub fn add_to(&self, element: &impl IsA<gst::Element>) {
        #[expect(clippy::expect_used, reason = "a new element has no pads of these names")]
        for pad in [&self.sink, &self.src] {
            element.add_pad(pad).expect("a new element takes its pads");
        }
    }

    /// Handles an event as an element does that has nothing to say to it: passes it on.
    pub fn forward(&self, element: &impl IsA<gst::Object>, event: gst::Event) -> bool {
        gst::Pad::event_default(&self.sink, Some(element), event)
    }

    /// Says downstream that nothing comes for this frame, so that nobody there waits for it.
    pub fn withhold(&self, frame: &gst::BufferRef) -> gst::FlowSuccess {
        // A GAP needs a time. Without one nobody downstream can wait for the frame either.
        if let Some(pts) = frame.pts() {
            // False means flushing, unlinked or EOS, which the next buffer is told as well.
            let _ = self.src.push_event(gst::event::Gap::builder(pts).duration(frame.duration()).build());
        }
        gst::FlowSuccess::Ok
    }
}

/// A buffer with these bytes that stands for the same frame: its times, flags and metas, except those metas that
/// describe memory or pixels.
pub(crate) fn result_for(frame: &gst::BufferRef, bytes: Vec<u8>) -> gst::Buffer {
    let mut result = gst::Buffer::from_mut_slice(bytes);
    let target = result.make_mut();
    // Copying flags and times cannot fail: neither needs memory.
    let _ = frame.copy_into(target, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..);
    let copy = gst::meta::MetaTransformCopy::new(..);
    for meta in frame.iter_meta::<gst::Meta>() {
        if meta.tags().is_empty() {
            // A meta that cannot be copied stays behind, as in every GStreamer filter.
            let _ = meta.transform(target, &copy);
        }
    }
    result
}

/// The templates of one sink and one source pad that are always there.
pub(crate) fn always_pads(sink: &gst::Caps, src: &gst::Caps) -> Vec<gst::PadTemplate> {
    #[expect(clippy::expect_used, reason = "a template of an always-pad needs only a name and caps")]
    [("sink", gst::PadDirection::Sink, sink), ("src", gst::PadDirection::Src, src)]
        .map(|(name, direction, caps)| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("a pad template")
        })
        .into()
}

/// Locks what one thread at a time may use. A panic of another thread has been reported as an element error by then.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
