//! One client: a socket, a pipeline of its own, and what goes between them.

mod commands;
mod outbox;
mod pace;
mod seen;
mod socket;
pub(crate) mod wiring;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use axum::extract::ws::WebSocket;
use bytes::Bytes;
use dactyl_config::Server as Limits;
use gstdactyl::frame::{self, FrameRecord};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use self::{
    commands::{Commands, Job, Supervisor},
    outbox::{Extra, Outbox},
    pace::Pace,
    seen::Status,
    wiring::{Listener, Origin},
};
use crate::{
    jpeg,
    ledger::Ledger,
    metrics::Metrics,
    pipeline_file::PipelineError,
    prepare::Prepared,
    protocol::{self, Close, ErrorCode, Extras, Outcome, Refusal, Request, Timings},
};

/// What a session is started with.
pub(crate) struct Settings {
    /// Number of the session in this process, for the log.
    pub(crate) id: u64,
    /// The pipeline.
    pub(crate) prepared: Arc<Prepared>,
    /// Parameters of the pipeline that the client set.
    pub(crate) given: BTreeMap<String, String>,
    /// What the client asked for on top.
    pub(crate) extras: Extras,
    /// The limits.
    pub(crate) limits: Limits,
    /// The server's metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// The place among `server.max_sessions`; given back when the pipeline is gone.
    pub(crate) permit: OwnedSemaphorePermit,
    /// True when the server stops.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Held until the socket is closed: the server waits for all of these when it stops.
    pub(crate) alive: mpsc::Sender<()>,
}

/// Serves a client until it goes or is sent away.
pub(crate) async fn run(socket: WebSocket, settings: Settings) {
    let Settings { id, prepared, given, extras, limits, metrics, permit, shutdown, alive } = settings;
    metrics.sessions.increment(1.0);
    let open = OpenSession(Arc::clone(&metrics));
    let outbox = Arc::new(Outbox::default());
    let commands = Arc::new(Commands::default());
    let refusals = Arc::new(Refusals {
        outbox: Arc::clone(&outbox),
        metrics: Arc::clone(&metrics),
        most: limits.max_bad_messages,
        in_a_row: AtomicU32::new(0),
    });
    let ledger = {
        let refusals = Arc::clone(&refusals);
        let pace = Pace::default();
        Ledger::new(Arc::clone(&metrics), move |record, outcome| {
            tell_end(&refusals, extras, &pace, record, outcome);
        })
    };
    let outlet = Arc::new(Outlet {
        outbox: Arc::clone(&outbox),
        commands: Arc::clone(&commands),
        metrics: Arc::clone(&metrics),
        extras,
        status: Status::default(),
    });
    let thread = {
        let (commands, prepared, closing) =
            (Arc::clone(&commands), Arc::clone(&prepared), Arc::clone(&outbox));
        let span = tracing::Span::current();
        std::thread::Builder::new().name(format!("session-{id}")).spawn(move || {
            let _entered = span.enter();
            // The client learns of it even if this thread panics; a socket that is being closed already stays so.
            let _close = CloseAtEnd(closing);
            // Given back when the pipeline is gone, whatever happens to it.
            let _permit = permit;
            let _open = open;
            let job = Job { file: prepared.file.clone(), given, post_messages: extras.needs_messages() };
            commands::run(&job, &commands, &outlet);
        })
    };
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for a session");
        outbox.close(Close::Failed);
    }
    let intake = Intake {
        limits,
        metrics: Arc::clone(&metrics),
        outbox: Arc::clone(&outbox),
        refusals,
        commands: Arc::clone(&commands),
        ledger: Arc::clone(&ledger),
        prepared,
        tells_ends: extras.ended,
        frames: 0,
        rate: Rate::new(),
        letters: Rate::new(),
    };
    // Ends the pipeline also when this future is dropped.
    let _end = EndOfSession { ledger, commands };
    socket::serve(socket, intake, &outbox, shutdown).await;
    drop(alive);
}

/// Tells the client what became of a frame, as far as it wants to know.
fn tell_end(refusals: &Refusals, extras: Extras, pace: &Pace, record: &FrameRecord, outcome: Outcome) {
    match outcome {
        Outcome::Refused => refusals.tell(&[Refusal::no_picture(record.id)]),
        Outcome::Analysed => {
            refusals.end_row();
            let rate = extras.rate.then(|| pace.next(&record.stages(), Instant::now())).flatten();
            if let Some(rate) = rate {
                refusals.outbox.rate(rate);
            }
        }
        _ => {}
    }
    if extras.ended {
        refusals.outbox.ended(record.id, outcome);
    }
}

/// Answers bad messages, and closes the socket of a client that sends nothing else.
struct Refusals {
    outbox: Arc<Outbox>,
    metrics: Arc<Metrics>,
    /// Bad messages in a row that close the socket.
    most: u32,
    in_a_row: AtomicU32,
}

impl Refusals {
    /// Tells what was wrong with one message.
    fn tell(&self, refusals: &[Refusal]) {
        for refusal in refusals {
            self.metrics.bad_message(refusal.code);
            self.outbox.refuse(refusal);
        }
        if self.in_a_row.fetch_add(1, Ordering::AcqRel) + 1 >= self.most {
            self.outbox.close(Close::TooManyBadMessages);
        }
    }

    /// A message was good. Whether a frame is, is known when it was analysed: the check lets some pass that give no
    /// picture.
    fn end_row(&self) {
        self.in_a_row.store(0, Ordering::Release);
    }
}

struct OpenSession(Arc<Metrics>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.sessions.decrement(1.0);
    }
}

/// Closes the socket when dropped, unless it is being closed for another reason.
struct CloseAtEnd(Arc<Outbox>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close(Close::Failed);
    }
}

struct EndOfSession {
    ledger: Arc<Ledger>,
    commands: Arc<Commands>,
}

impl Drop for EndOfSession {
    fn drop(&mut self) {
        self.ledger.close();
        self.commands.stop();
    }
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// A frame or a letter: the client works.
    Work,
    /// Neither.
    Nothing,
}

/// The way of a message into the pipeline.
struct Intake {
    limits: Limits,
    metrics: Arc<Metrics>,
    outbox: Arc<Outbox>,
    refusals: Arc<Refusals>,
    commands: Arc<Commands>,
    ledger: Arc<Ledger>,
    prepared: Arc<Prepared>,
    /// Whether the client wants to know what becomes of its frames.
    tells_ends: bool,
    /// Frames that came, refused ones too.
    frames: u64,
    rate: Rate,
    letters: Rate,
}

impl Intake {
    /// `bare_jpeg`: the message is a frame and nothing else.
    fn take(
        &mut self,
        length: usize,
        bare_jpeg: bool,
        read: impl FnOnce() -> Result<Request, Refusal>,
    ) -> Taken {
        let came = Instant::now();
        let request = if length > self.limits.max_message_bytes as usize {
            if bare_jpeg {
                self.frames += 1;
                self.tell_refused();
            }
            Err(Refusal::too_large(length, self.limits.max_message_bytes))
        } else {
            read()
        };
        let request = match request {
            Ok(request) => request,
            Err(refusal) => {
                self.refusals.tell(&[refusal]);
                return Taken::Nothing;
            }
        };
        let has_letter = request.new_letter.is_some();
        let mut refusals = Vec::new();
        let mut letter_stays = false;
        if let Some(letter) = request.new_letter {
            let refused = self.take_letter(&letter, came).err();
            letter_stays = refused.as_ref().is_some_and(|refusal| refusal.code == ErrorCode::TooFast);
            refusals.extend(refused);
        }
        let has_frame = request.jpeg.is_some();
        if let Some(jpeg) = request.jpeg {
            self.frames += 1;
            // A frame of a letter that is not taken is none of the letter before.
            let refused =
                if letter_stays { None } else { jpeg.and_then(|jpeg| self.take_frame(&jpeg)).err() };
            if letter_stays || refused.is_some() {
                self.tell_refused();
            }
            refusals.extend(refused);
        }
        if !refusals.is_empty() {
            self.refusals.tell(&refusals);
        } else if !has_frame {
            self.refusals.end_row();
        }
        // The letter beside a bad frame counts.
        if has_letter || (has_frame && refusals.is_empty()) { Taken::Work } else { Taken::Nothing }
    }

    fn tell_refused(&self) {
        if self.tells_ends {
            self.outbox.ended(self.frames, Outcome::Refused);
        }
    }

    fn take_letter(&mut self, letter: &str, came: Instant) -> Result<(), Refusal> {
        if !self.letters.allow(self.limits.max_fps) {
            return Err(Refusal::too_many_letters(self.limits.max_fps));
        }
        let labels = &self.prepared.labels;
        let target = dactyl_models::letters::label_index(labels, letter).and_then(|index| labels.get(index));
        self.metrics.resets.increment(1);
        let epoch = self.ledger.begin_epoch();
        self.outbox.begin_epoch(epoch, self.frames + 1, came, self.prepared.answers_resets);
        self.commands.reset(target.cloned(), epoch);
        if target.is_none() && !letter.is_empty() {
            Err(Refusal::unknown_letter(letter, labels))
        } else {
            Ok(())
        }
    }

    fn take_frame(&mut self, jpeg: &Bytes) -> Result<(), Refusal> {
        if !self.rate.allow(self.limits.max_fps) {
            return Err(Refusal::too_fast(self.limits.max_fps));
        }
        let limits = jpeg::Limits { max_pixels: self.limits.max_pixels, max_scans: self.limits.max_scans };
        let header = jpeg::check(jpeg, limits)?;
        let mut buffer = gst::Buffer::from_slice(jpeg.slice(..header.length));
        frame::attach(buffer.make_mut(), &self.ledger.accept(self.frames));
        self.commands.frame(buffer);
        Ok(())
    }
}

/// A token bucket: at most so many frames a second, and a second's worth at once.
struct Rate {
    tokens: Option<f64>,
    last: Instant,
}

impl Rate {
    fn new() -> Self {
        Self { tokens: None, last: Instant::now() }
    }

    fn allow(&mut self, per_second: u32) -> bool {
        self.allow_at(per_second, Instant::now())
    }

    fn allow_at(&mut self, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second);
        let gained = now.saturating_duration_since(self.last).as_secs_f64() * most;
        let tokens = (self.tokens.unwrap_or(most) + gained).min(most);
        self.last = now;
        let allowed = tokens >= 1.0;
        self.tokens = Some(if allowed { tokens - 1.0 } else { tokens });
        allowed
    }
}

/// The way of what comes out of the pipeline to the client.
struct Outlet {
    outbox: Arc<Outbox>,
    commands: Arc<Commands>,
    metrics: Arc<Metrics>,
    extras: Extras,
    status: Status,
}

impl Listener for Outlet {
    fn payload(&self, payload: &str, epoch: u64, origin: Origin) {
        let record = match origin {
            Origin::Frame(record) => Some(record),
            Origin::Reset => return self.outbox.reset_done(epoch, payload),
            Origin::Unknown if self.outbox.awaits_reset(epoch) => {
                return self.outbox.reset_done(epoch, payload);
            }
            Origin::Unknown => None,
        };
        let frame = record.as_ref().filter(|_| self.extras.frame).map(|record| record.id);
        let timings = record
            .as_ref()
            .filter(|_| self.extras.timings)
            .map(|record| Timings { stages: record.stages(), age: record.entered.elapsed() });
        match protocol::feedback(payload, frame, timings.as_ref()) {
            Some(text) => self.outbox.feedback(epoch, text, record.map(|record| record.entered)),
            None => tracing::error!(
                "a payload is not an object in JSON; set format=json on the feedback-throttle"
            ),
        }
    }

    fn message(&self, structure: &gst::StructureRef) {
        let Some(seen) = seen::Seen::read(structure) else { return };
        if self.extras.status
            && let Some(status) = self.status.after(&seen)
        {
            self.outbox.status(seen.frame, protocol::status(&status));
        }
        if self.extras.top
            && let Some(top) = &seen.top
        {
            self.outbox.extra(Extra::Top, seen.frame, protocol::top(top));
        }
        if self.extras.landmarks
            && let Some(landmarks) = seen.landmarks()
        {
            self.outbox.extra(Extra::Landmarks, seen.frame, protocol::landmarks(&landmarks));
        }
    }

    fn throttled(&self, results: u64) {
        self.metrics.feedback_throttled.increment(results);
    }

    fn failed(&self, error: &PipelineError) {
        tracing::error!(%error, "the pipeline failed");
        self.commands.failed();
    }
}

impl Supervisor for Outlet {
    fn restarted(&self) {
        tracing::warn!("the pipeline was made anew");
        let refusal = Refusal::internal();
        self.metrics.bad_message(refusal.code);
        self.outbox.refuse(&refusal);
    }

    fn gave_up(&self, error: &PipelineError) {
        tracing::error!(%error, "the session is given up");
        self.outbox.close(Close::Failed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_of_frames_may_come_at_once_and_no_more() {
        let begin = Instant::now();
        let mut rate = Rate { tokens: None, last: begin };
        let allowed = |rate: &mut Rate, at: Duration, tries: u32| {
            (0..tries).filter(|_| rate.allow_at(10, begin + at)).count()
        };
        assert_eq!(allowed(&mut rate, Duration::ZERO, 25), 10);
        assert_eq!(allowed(&mut rate, Duration::from_millis(500), 25), 5);
        assert_eq!(allowed(&mut rate, Duration::from_secs(60), 25), 10);
    }
}
