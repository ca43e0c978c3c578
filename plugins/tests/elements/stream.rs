//! A harness that keeps everything an element gives out in one list, in order.

use std::sync::{Arc, Mutex, Once};

use gst::prelude::*;
use gst_check::Harness;
use gstdactyl::caps::ClassProbabilitiesInfo;
use gstdactyl::letter_target::LetterTarget;

/// Makes the elements known to this process.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstdactyl::plugin_register_static().unwrap();
    });
}

/// One or several elements with an open end on either side.
pub struct Stream {
    pub harness: Harness,
    pub output: Output,
}

/// What has left a pad so far.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Vec<Item>>>);

struct Item {
    line: String,
    buffer: Option<gst::Buffer>,
}

impl Output {
    /// Keeps what passes `pad` from now on. One line per item: the event's name, with the time of a gap in
    /// milliseconds, or `buffer`, its time and, of texts, the text.
    pub fn of(pad: &gst::Pad) -> Self {
        let output = Self::default();
        let items = output.clone();
        let mask =
            gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH | gst::PadProbeType::BUFFER;
        pad.add_probe(mask, move |pad, info| {
            let item = match &info.data {
                Some(gst::PadProbeData::Event(event)) => Item { line: event_line(event), buffer: None },
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    let is_text = pad
                        .current_caps()
                        .is_some_and(|caps| caps.structure(0).unwrap().name() == "text/x-raw");
                    let text = if is_text { text_of(buffer) } else { String::new() };
                    let line = format!("buffer {} {text}", milliseconds(buffer.pts()));
                    Item { line: line.trim_end().to_owned(), buffer: Some(buffer.clone()) }
                }
                _ => return gst::PadProbeReturn::Ok,
            };
            items.0.lock().unwrap().push(item);
            gst::PadProbeReturn::Ok
        });
        output
    }

    /// The lines since the last call.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().drain(..).map(|item| item.line).collect()
    }

    /// The buffers since the last call.
    pub fn buffers(&self) -> Vec<gst::Buffer> {
        self.0.lock().unwrap().drain(..).filter_map(|item| item.buffer).collect()
    }
}

impl Stream {
    /// A running stream through the elements of a `gst-launch-1.0` line.
    pub fn new(launch: &str) -> Self {
        init();
        let element = gst::parse::launch_full(launch, None, gst::ParseFlags::FATAL_ERRORS).unwrap();
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        let src = harness.element().unwrap().static_pad("src").unwrap();
        let output = Output::of(&src);
        harness.play();
        Self { harness, output }
    }

    /// A stream that has begun: stream-start, these caps and a segment have been sent.
    pub fn begun(launch: &str, caps: &gst::Caps) -> Self {
        let mut stream = Self::new(launch);
        stream.harness.set_src_caps(caps.clone());
        stream
    }

    /// Pushes bytes that stand for the frame at this time.
    pub fn push(&mut self, bytes: Vec<u8>, pts_ms: u64) {
        assert_eq!(self.harness.push(buffer(bytes, pts_ms)), Ok(gst::FlowSuccess::Ok));
    }

    /// Pushes a distribution.
    pub fn push_distribution(&mut self, distribution: &[f32], pts_ms: u64) {
        self.push(ClassProbabilitiesInfo::write(distribution), pts_ms);
    }

    /// Sends what an emergency reset sends: flush, new target, GAP.
    pub fn reset(&mut self, letter: Option<&str>, epoch: u64, time_ms: u64) {
        self.flush(false);
        self.set_target(letter, epoch, time_ms);
    }

    /// Flushes, and sends the segment that follows a flush. A thread that pushes holds the source pad's stream lock, as one
    /// of an element does, so that no buffer gets between the two.
    pub fn flush(&mut self, reset_time: bool) {
        assert!(self.harness.push_event(gst::event::FlushStart::new()));
        let pad = self.harness.srcpad().unwrap();
        let _streaming = pad.stream_lock();
        assert!(self.harness.push_event(gst::event::FlushStop::new(reset_time)));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(self.harness.push_event(gst::event::Segment::new(&segment)));
    }

    /// Sends a letter-target and the GAP that follows it.
    pub fn set_target(&mut self, letter: Option<&str>, epoch: u64, time_ms: u64) {
        assert!(self.harness.push_event(target(letter, epoch)));
        assert!(self.harness.push_event(gap(time_ms)));
    }

    /// Reads a property of the element.
    pub fn counter(&self, name: &str) -> u64 {
        self.harness.element().unwrap().property(name)
    }
}

/// Distribution caps with these labels.
pub fn labels(labels: &[&str]) -> gst::Caps {
    init();
    ClassProbabilitiesInfo { labels: labels.iter().map(|&label| label.to_owned()).collect() }.to_caps()
}

pub fn target(letter: Option<&str>, epoch: u64) -> gst::Event {
    LetterTarget { letter: letter.map(str::to_owned), epoch }.to_event()
}

pub fn gap(time_ms: u64) -> gst::Event {
    gst::event::Gap::new(gst::ClockTime::from_mseconds(time_ms), gst::ClockTime::NONE)
}

pub fn buffer(bytes: Vec<u8>, pts_ms: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    buffer.make_mut().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

pub fn text_of(buffer: &gst::BufferRef) -> String {
    String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap()
}

/// The bus of a harness's element, which has none of its own.
pub fn bus_of(element: &gst::Element) -> gst::Bus {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    bus
}

fn event_line(event: &gst::Event) -> String {
    match event.view() {
        gst::EventView::Gap(gap) => format!("gap {}", milliseconds(Some(gap.get().0))),
        gst::EventView::CustomDownstreamSticky(event) => event.structure().unwrap().name().to_string(),
        _ => event.type_().name().to_string(),
    }
}

fn milliseconds(time: Option<gst::ClockTime>) -> String {
    time.map_or_else(|| "none".to_owned(), |time| time.mseconds().to_string())
}
