//! What the sections work with.

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::client::Messages;
use crate::clip::{self, Clip};
use crate::contender::Contender;
use crate::server::{Programs, Server};

/// The programs, the clips and the number of rounds.
pub(super) struct Bench {
    pub(super) programs: Programs,
    /// Python that has MediaPipe.
    pub(super) python: Option<PathBuf>,
    pub(super) clips: Vec<Clip>,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    pub(super) begin: Instant,
}

impl Bench {
    /// What is measured alone.
    pub(super) fn analysers(&self) -> Vec<Contender> {
        Contender::all(self.python.is_some())
    }

    /// Whose server is measured.
    pub(super) fn servers(&self) -> Vec<Contender> {
        Contender::all(self.programs.has_rival())
    }

    /// The frames that servers are sent.
    pub(super) fn messages(&self) -> Result<Messages> {
        let clip = self.clips.first().context("no --clip was given")?;
        Ok(Messages::new(&clip::read(&clip.folder)?))
    }

    /// The one number if this is to be quick, else the other.
    pub(super) fn either<Number>(&self, quick: Number, full: Number) -> Number {
        if self.quick { quick } else { full }
    }

    /// Measures every contender in turn, round after round.
    pub(super) fn rounds(
        &self,
        contenders: &[Contender],
        mut measure: impl FnMut(&Contender) -> Result<String>,
    ) -> Result<()> {
        for round in 1..=self.rounds {
            for contender in contenders {
                let seen = measure(contender)?;
                self.say(&format!("round {round} of {}, {contender}: {seen}", self.rounds));
            }
        }
        Ok(())
    }

    pub(super) fn say(&self, progress: &str) {
        // Hours of measuring do not end because nobody watches them.
        let _ = writeln!(io::stderr(), "{:6.0} s  {progress}", self.begin.elapsed().as_secs_f64());
    }
}

/// Runs clients on this thread alone, so that they leave the other cores to the server.
pub(super) fn block_on<Outcome>(clients: impl Future<Output = Result<Outcome>>) -> Result<Outcome> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(clients)
}

/// A server with the configuration that is measured.
pub(super) fn start(bench: &Bench, contender: &Contender) -> Result<Server> {
    Server::start(&bench.programs, contender, &[])
}
