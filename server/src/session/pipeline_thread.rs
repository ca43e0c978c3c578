//! The thread that owns a session's pipeline. Everything that may block on a busy element happens here: flushes, state
//! changes, building and tearing down; never on a thread that serves sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pipeline::{Frame, Listener, PipelineError, PipelineFile, Wiring};

/// Failures of a pipeline within [`FAILURE_WINDOW`] after which a session is given up.
const MOST_FAILURES: usize = 5;
const FAILURE_WINDOW: Duration = Duration::from_secs(60);

/// What the thread is told to do.
enum Command {
    Reset { target: Option<String>, epoch: u64 },
    Frame(Frame),
    Rebuild,
    Stop,
}

#[derive(Default)]
struct Waiting {
    frame: Option<Frame>,
    reset: Option<(Option<String>, u64)>,
    failed: bool,
    stop: bool,
}

/// What waits to be done: the newest frame, the last reset.
#[derive(Default)]
pub(super) struct Commands {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

impl Commands {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what was taken away, to be dropped outside of the lock: the end of a frame calls back.
    fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let taken = change(&mut self.lock());
        self.filled.notify_one();
        taken
    }

    /// A frame; replaces one that still waits.
    pub(super) fn frame(&self, frame: Frame) {
        drop(self.change(|waiting| waiting.frame.replace(frame)));
    }

    /// A new letter; takes away a frame that still waits, and an earlier reset that nobody has begun yet.
    pub(super) fn reset(&self, target: Option<String>, epoch: u64) {
        drop(self.change(|waiting| {
            waiting.reset = Some((target, epoch));
            waiting.frame.take()
        }));
    }

    /// The pipeline posted an error.
    pub(super) fn failed(&self) {
        self.change(|waiting| waiting.failed = true);
    }

    /// Takes back what [`Self::failed`] told.
    fn forget_failures(&self) {
        self.change(|waiting| waiting.failed = false);
    }

    /// The session is over.
    pub(super) fn stop(&self) {
        drop(self.change(|waiting| {
            waiting.stop = true;
            waiting.frame.take()
        }));
    }

    fn next(&self) -> Command {
        let mut waiting = self.lock();
        loop {
            if waiting.stop {
                return Command::Stop;
            }
            if std::mem::take(&mut waiting.failed) {
                return Command::Rebuild;
            }
            if let Some((target, epoch)) = waiting.reset.take() {
                return Command::Reset { target, epoch };
            }
            if let Some(frame) = waiting.frame.take() {
                return Command::Frame(frame);
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What one session runs.
pub(super) struct Job {
    pub(super) file: PipelineFile,
    pub(super) given: BTreeMap<String, String>,
    pub(super) post_messages: bool,
}

/// Told of what the thread cannot mend or what the client must know.
pub(super) trait Supervisor: Listener {
    /// The pipeline was made anew after a failure.
    fn restarted(&self);
    /// The pipeline cannot be kept running.
    fn gave_up(&self, error: &PipelineError);
}

/// Runs a pipeline until [`Commands::stop`].
pub(super) fn run<S: Supervisor + 'static>(job: &Job, commands: &Commands, supervisor: &Arc<S>) {
    // A new pipeline in place of one that is gone. What that one posted on its way down does not count against it.
    let renew = |target: Option<&(Option<String>, u64)>| -> Result<Wiring, PipelineError> {
        commands.forget_failures();
        let listener = Arc::clone(supervisor) as Arc<dyn Listener>;
        let mut wiring = Wiring::start(&job.file, &job.given, job.post_messages, &listener)?;
        if let Some((target, epoch)) = target
            && !wiring.reset(target.clone(), *epoch)
        {
            // Nothing runs in it yet that a flush could meet: something else is wrong.
            commands.failed();
        }
        Ok(wiring)
    };
    let mut wiring = match renew(None) {
        Ok(wiring) => wiring,
        Err(error) => return supervisor.gave_up(&error),
    };
    let mut last_target = None;
    let mut failures = VecDeque::new();
    loop {
        match commands.next() {
            Command::Stop => break,
            Command::Frame(frame) => wiring.push(frame),
            Command::Reset { target, epoch } => {
                let is_reset = wiring.reset(target.clone(), epoch);
                last_target = Some((target, epoch));
                if !is_reset {
                    // The window would be empty now anyway: the client loses nothing, and is told nothing.
                    drop(wiring);
                    wiring = match renew(last_target.as_ref()) {
                        Ok(wiring) => wiring,
                        Err(error) => return supervisor.gave_up(&error),
                    };
                }
            }
            Command::Rebuild => {
                drop(wiring);
                failures.push_back(Instant::now());
                failures.retain(|failure: &Instant| failure.elapsed() < FAILURE_WINDOW);
                if failures.len() > MOST_FAILURES {
                    let cause = format!("it failed {} times within {FAILURE_WINDOW:?}", failures.len());
                    return supervisor.gave_up(&job.file.error(None, cause));
                }
                wiring = match renew(last_target.as_ref()) {
                    Ok(wiring) => wiring,
                    Err(error) => return supervisor.gave_up(&error),
                };
                supervisor.restarted();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Form;

    fn marked(mark: u64) -> Frame {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        buffer.make_mut().set_offset(mark);
        Frame { buffer, form: Form::Jpeg(gst_video::VideoOrientationMethod::Identity) }
    }

    #[test]
    fn the_newest_frame_replaces_one_that_waits() {
        let commands = Commands::default();
        commands.frame(marked(1));
        commands.frame(marked(2));
        assert!(matches!(commands.next(), Command::Frame(frame) if frame.buffer.offset() == 2));
        assert!(commands.lock().frame.is_none());
    }

    #[test]
    fn a_reset_empties_the_slot_and_the_last_one_counts() {
        let commands = Commands::default();
        commands.frame(marked(1));
        commands.reset(Some("A".to_owned()), 1);
        commands.reset(None, 2);
        commands.frame(marked(2));
        assert!(matches!(commands.next(), Command::Reset { target: None, epoch: 2 }));
        assert!(matches!(commands.next(), Command::Frame(frame) if frame.buffer.offset() == 2));
    }

    #[test]
    fn the_end_comes_before_everything_else() {
        let commands = Commands::default();
        commands.reset(None, 1);
        commands.failed();
        commands.stop();
        assert!(matches!(commands.next(), Command::Stop));
    }
}
