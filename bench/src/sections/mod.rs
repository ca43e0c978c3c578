//! What is measured, a section of the output each.

mod cpu;
mod latency;
mod load;
mod memory;
mod reset;
mod stages;
mod start;

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::cli::Measure;
use crate::client::Messages;
use crate::clip::{self, Clip};
use crate::contender::{self, Contender};
use crate::machine;
use crate::server::{Programs, Server};

/// A section of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Frames per CPU-second, decoding included.
    Cpu,
    /// From frame to feedback, one session.
    Latency,
    /// Eight sessions that offer more than can be analysed.
    Load,
    /// Resident memory by sessions and slots.
    Memory,
    /// New letters.
    Reset,
    /// From the start of the process until it is ready.
    Start,
    /// Where a frame's CPU time goes.
    Stages,
}

impl Section {
    const fn title(self) -> &'static str {
        match self {
            Self::Cpu => "Frames per CPU-second",
            Self::Latency => "Frame to feedback, one session",
            Self::Load => "Eight sessions, 30 frames a second each",
            Self::Memory => "Resident memory",
            Self::Reset => "A new letter",
            Self::Start => "From the start of the process until it is ready",
            Self::Stages => "Where a frame's CPU time goes",
        }
    }

    fn run(self, bench: &Bench) -> Result<String> {
        match self {
            Self::Cpu => cpu::run(bench),
            Self::Latency => latency::run(bench),
            Self::Load => load::run(bench),
            Self::Memory => memory::run(bench),
            Self::Reset => reset::run(bench),
            Self::Start => start::run(bench),
            Self::Stages => stages::run(bench),
        }
    }
}

/// What the sections work with.
struct Bench {
    programs: Programs,
    /// Python that has MediaPipe.
    python: Option<PathBuf>,
    clips: Vec<Clip>,
    rounds: usize,
    quick: bool,
    begin: Instant,
}

impl Bench {
    /// What is measured alone.
    fn analysers(&self) -> Vec<Contender> {
        Contender::all(self.python.is_some())
    }

    /// Whose server is measured.
    fn servers(&self) -> Vec<Contender> {
        Contender::all(self.programs.has_rival())
    }

    /// The frames that servers are sent.
    fn messages(&self) -> Result<Messages> {
        let clip = self.clips.first().context("no --clip was given")?;
        Ok(Messages::new(&clip::read(&clip.folder)?))
    }

    /// The one number if this is to be quick, else the other.
    fn either<Number>(&self, quick: Number, full: Number) -> Number {
        if self.quick { quick } else { full }
    }

    /// Measures every contender in turn, round after round.
    fn rounds(
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

    fn say(&self, progress: &str) {
        eprintln!("{:6.0} s  {progress}", self.begin.elapsed().as_secs_f64());
    }
}

/// Runs the chosen sections and prints them.
///
/// # Errors
/// A clip, program or server that is not there or does not work. Sections that are done by then have been printed.
pub fn run(measure: &Measure) -> Result<()> {
    let dactyl = match &measure.dactyl {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("dactyl"),
    };
    for clip in &measure.clips {
        clip::read(&clip.folder)?;
    }
    let rival = measure.rival_python.as_deref().zip(measure.rival_server.as_deref());
    let bench = Bench {
        programs: Programs::find(&dactyl, rival)?,
        python: measure.rival_python.clone(),
        clips: measure.clips.clone(),
        rounds: measure.rounds.map_or(if measure.quick { 1 } else { 5 }, |rounds| rounds as usize),
        quick: measure.quick,
        begin: Instant::now(),
    };
    println!("{}\n", machine::describe(&dactyl, bench.python.as_deref()));
    println!(
        "Rounds: {}. Figures are their medians; a ratio is the median of the rounds' ratios (least to greatest).",
        bench.rounds
    );
    if bench.quick {
        println!("**Made with `--quick`: not a figure to keep.**");
    }
    if !contender::has_profiles() {
        println!("This build has no `holistic.profile`, so there is no column `fast`.");
    }
    let sections = if measure.only.is_empty() { Section::value_variants() } else { &measure.only };
    for section in sections {
        bench.say(section.title());
        println!("\n### {}\n\n{}", section.title(), section.run(&bench)?.trim_end());
        io::stdout().flush()?;
    }
    bench.say("done");
    Ok(())
}

/// Runs clients on this thread alone, so that they leave the other cores to the server.
fn block_on<Outcome>(clients: impl Future<Output = Result<Outcome>>) -> Result<Outcome> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(clients)
}

/// A server with the configuration that is measured.
fn start(bench: &Bench, contender: &Contender) -> Result<Server> {
    Server::start(&bench.programs, contender, &[])
}
