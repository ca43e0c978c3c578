//! What must be true before a session may begin: the pipeline links, its models are loaded, and a frame goes through.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use dactyl_holistic::keypoints::Keypoints;
use gst_video::VideoOrientationMethod;
use gstdactyl::frame::{self, FrameRecord, Progress};

use super::file::{PipelineError, PipelineFile, Takes};
use super::wiring::{Cause, Form, Frame, Listener, Wiring};

/// A picture without a person, and its size.
const WARM_UP: &[u8] = include_bytes!("warm_up.jpg");
const WARM_UP_SIZE: (u32, u32) = (128, 96);
/// Time for one frame. The first one waits for the models to be loaded.
const FRAME_TIME: Duration = Duration::from_secs(60);
/// Time for an error to be posted after the frame that met it.
const ERROR_TIME: Duration = Duration::from_millis(200);
/// Frames after which a pipeline that has not told its labels never will: the longest window and a little more.
const MOST_FRAMES: u64 = 1100;

/// A pipeline that works.
pub(crate) struct Prepared {
    /// Its file.
    pub(crate) file: PipelineFile,
    /// What its frames must be.
    pub(crate) takes: Takes,
    /// Labels of its model.
    pub(crate) labels: Vec<String>,
    /// Whether a new letter is answered with a 0 % payload.
    pub(crate) answers_resets: bool,
    /// Kept playing without frames: its elements hold the models that sessions share, so that these are loaded once
    /// and not again whenever a client comes after the last one has gone.
    _warm: Wiring,
}

/// Runs a pipeline until it has told the labels of its model, which loads and warms its networks.
///
/// # Errors
///
/// What is wrong with the pipeline, with the line where that can be told.
pub(crate) fn prepare(file: PipelineFile) -> Result<Prepared, PipelineError> {
    let (mut wiring, news) = start(&file)?;
    let mut labels = None;
    for id in 1..=MOST_FRAMES {
        run_frame(&file, &mut wiring, &news, id)?;
        labels = wiring.labels();
        if labels.is_some() {
            break;
        }
    }
    let labels = labels.ok_or_else(|| {
        file.error(None, "the feedback-throttle was never told the labels of a model".to_owned())
    })?;
    let (takes, answers_resets) = (wiring.takes(), wiring.answers_resets());
    Ok(Prepared { file, takes, labels, answers_resets, _warm: wiring })
}

/// Runs one frame through a new pipeline and returns how long that took, the building included.
///
/// # Errors
///
/// As [`prepare`].
pub(crate) fn probe(file: &PipelineFile) -> Result<Duration, PipelineError> {
    let begin = Instant::now();
    let (mut wiring, news) = start(file)?;
    run_frame(file, &mut wiring, &news, 1)?;
    Ok(begin.elapsed())
}

enum News {
    Ended(Progress),
    Failed(PipelineError),
}

struct Reporter(mpsc::Sender<News>);

impl Listener for Reporter {
    fn payload(&self, _payload: &str, _epoch: u64, _cause: Cause) {}

    fn message(&self, _structure: &gst::StructureRef) {}

    fn throttled(&self, _results: u64) {}

    fn unusable_result(&self) {}

    fn failed(&self, error: &PipelineError) {
        // Nobody listens any more once the outcome is known.
        let _ = self.0.send(News::Failed(error.clone()));
    }
}

struct Channel {
    sender: mpsc::Sender<News>,
    receiver: mpsc::Receiver<News>,
}

fn start(file: &PipelineFile) -> Result<(Wiring, Channel), PipelineError> {
    let (sender, receiver) = mpsc::channel();
    let listener: Arc<dyn Listener> = Arc::new(Reporter(sender.clone()));
    let wiring = Wiring::start(file, &BTreeMap::new(), false, &listener)?;
    Ok((wiring, Channel { sender, receiver }))
}

/// A frame that shows nobody.
fn warm_up(takes: Takes) -> Frame {
    match takes {
        Takes::Pictures => {
            let form = Form::Jpeg(VideoOrientationMethod::Identity);
            Frame { buffer: gst::Buffer::from_slice(WARM_UP), form }
        }
        Takes::Landmarks => {
            let (width, height) = WARM_UP_SIZE;
            Frame::of_keypoints(&Keypoints::absent(), width, height)
        }
    }
}

fn run_frame(file: &PipelineFile, wiring: &mut Wiring, news: &Channel, id: u64) -> Result<(), PipelineError> {
    let sender = news.sender.clone();
    let record = FrameRecord::new(id, 0, move |record| {
        let _ = sender.send(News::Ended(record.progress()));
    });
    let mut frame = warm_up(wiring.takes());
    frame::attach(frame.buffer.make_mut(), &record);
    drop(record);
    wiring.push(frame);
    match news.receiver.recv_timeout(FRAME_TIME) {
        Ok(News::Failed(error)) => Err(error),
        Ok(News::Ended(Progress::Analysed)) => Ok(()),
        // A frame may be dropped by a pipeline that fails in the next moment; its error says more.
        Ok(News::Ended(_)) => Err(match news.receiver.recv_timeout(ERROR_TIME) {
            Ok(News::Failed(error)) => error,
            _ => {
                let cause = "a frame went in and was dropped on the way; the path from the appsrc to the \
                             feedback-throttle is broken";
                file.error(None, cause.to_owned())
            }
        }),
        Err(_) => {
            let cause = format!("a frame went in and nothing came of it within {FRAME_TIME:?}");
            Err(file.error(None, cause))
        }
    }
}
