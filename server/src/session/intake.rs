//! The way of a client's messages into the pipeline.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use bytes::Bytes;
use dactyl_config::Server as Limits;
use gstdactyl::{frame, jpeg};

use super::outbox::Outbox;
use super::pipeline_thread::Commands;
use super::rate::{Budget, Rate};
use super::refusals::Refusals;
use super::registry::Registered;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::pipeline::{Form, Frame, Prepared, Takes};
use crate::protocol::{Content, ErrorCode, Landmarks, Outcome, Refusal, Request};

/// Pictures of `server.max_pixels` and one scan whose decoding one client is worth in a second: as many as a camera takes. A
/// progressive picture costs a decoder as much for each of its scans.
const FULL_PICTURES: f64 = 30.0;

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// A letter, with a frame or without.
    Letter,
    /// A frame.
    Frame,
    /// Neither.
    Nothing,
}

/// The way of a message into the pipeline.
pub(super) struct Intake {
    pub(super) limits: Limits,
    pub(super) metrics: Arc<Metrics>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) commands: Arc<Commands>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) prepared: Arc<Prepared>,
    /// Whether the client wants to know what becomes of its frames.
    pub(super) tells_ends: bool,
    /// Frames that came, refused ones too.
    pub(super) frames: u64,
    pub(super) rate: Rate,
    pub(super) letters: Rate,
    /// Pixels times scans that are decoded.
    pub(super) decoding: Budget,
    pub(super) registered: Registered,
    /// Frames a second of all sessions of this client together; 0 means as many as each may send.
    pub(super) client_fps: u32,
    /// Bytes that came on the connection so far.
    pub(super) received: Arc<AtomicU64>,
}

impl Intake {
    /// `bare_jpeg`: the message is a frame and nothing else.
    pub(super) fn take(
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
        let has_frame = request.frame.is_some();
        if let Some(content) = request.frame {
            self.frames += 1;
            // A frame of a letter that is not taken is none of the letter before.
            let refused =
                if letter_stays { None } else { content.and_then(|content| self.take_frame(&content)).err() };
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
        match has_letter {
            true => Taken::Letter,
            false if has_frame && refusals.is_empty() => Taken::Frame,
            false => Taken::Nothing,
        }
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
        let target = dactyl_letters::label_index(labels, letter).and_then(|index| labels.get(index));
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

    fn take_frame(&mut self, content: &Content) -> Result<(), Refusal> {
        if !self.rate.allow(self.limits.max_fps) {
            return Err(Refusal::too_fast(self.limits.max_fps));
        }
        if self.client_fps > 0 && !self.registered.allow_frame(self.client_fps) {
            return Err(Refusal::over_budget(self.client_fps));
        }
        let mut frame = match (content, self.prepared.takes) {
            (Content::Jpeg(jpeg), Takes::Pictures) => self.take_picture(jpeg)?,
            (Content::Landmarks(Landmarks { keypoints, width, height }), Takes::Landmarks) => {
                Frame::of_keypoints(keypoints, *width, *height)
            }
            (Content::Jpeg(_), taken) => return Err(wrong_kind(Takes::Pictures, taken)),
            (Content::Landmarks(_), taken) => return Err(wrong_kind(Takes::Landmarks, taken)),
        };
        frame::attach(frame.buffer.make_mut(), &self.ledger.accept(self.frames));
        self.commands.frame(frame);
        Ok(())
    }

    fn take_picture(&mut self, jpeg: &Bytes) -> Result<Frame, Refusal> {
        let limits = jpeg::Limits { max_pixels: self.limits.max_pixels, max_scans: self.limits.max_scans };
        let header = jpeg::check(jpeg, limits)?;
        let per_second = FULL_PICTURES * f64::from(self.limits.max_pixels);
        let cost = f64::from(header.width) * f64::from(header.height) * f64::from(header.scans);
        if !self.decoding.allow(per_second, cost) {
            return Err(Refusal::too_costly());
        }
        let buffer = match header.rewritten(jpeg) {
            Some(bytes) => gst::Buffer::from_slice(bytes),
            None => gst::Buffer::from_slice(jpeg.slice(..header.length)),
        };
        Ok(Frame { buffer, form: Form::Jpeg(header.orientation) })
    }
}

fn wrong_kind(came: Takes, taken: Takes) -> Refusal {
    Refusal::wrong_kind(came.as_str(), taken.as_str())
}
