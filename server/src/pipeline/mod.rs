//! Pipelines: the files that describe them, the running ones, and what must be true before a session gets one.

mod file;
mod prepare;
mod wiring;

pub use self::file::{
    Built, FEEDBACK, FRAMES, LANDMARKS, Parameter, ParameterKind, PipelineError, PipelineFile, Takes,
    offered, takes_pictures,
};
pub(crate) use self::prepare::{Prepared, prepare, probe};
pub(crate) use self::wiring::{Cause, Form, Frame, Listener, Wiring};
