//! What is measured, a section of the output each.

mod bench;
mod cpu;
mod landmarks;
mod latency;
mod load;
mod memory;
mod reset;
mod stages;
mod start;

use std::io::{self, Write};
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use self::bench::Bench;
use crate::cli::{Measure, Section};
use crate::server::Programs;
use crate::{clip, machine};

/// Runs the chosen sections and prints them.
///
/// # Errors
/// A clip, program or server that is not there or does not work, or a closed standard output. Sections that are done by
/// then have been printed.
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
    let mut output = io::stdout();
    writeln!(output, "{}\n", machine::describe(&dactyl, bench.python.as_deref()))?;
    writeln!(
        output,
        "Rounds: {}. Figures are their medians; a ratio is the median of the rounds' ratios (least to greatest).",
        bench.rounds
    )?;
    if bench.quick {
        writeln!(output, "**Made with `--quick`: not a figure to keep.**")?;
    }
    let sections = if measure.only.is_empty() { Section::value_variants() } else { &measure.only };
    for section in sections {
        bench.say(section.title());
        writeln!(output, "\n### {}\n\n{}", section.title(), run_section(*section, &bench)?.trim_end())?;
    }
    bench.say("done");
    Ok(())
}

/// Runs a section; returns its text.
fn run_section(section: Section, bench: &Bench) -> Result<String> {
    match section {
        Section::Cpu => cpu::run(bench),
        Section::Latency => latency::run(bench),
        Section::Load => load::run(bench),
        Section::Memory => memory::run(bench),
        Section::Landmarks => landmarks::run(bench),
        Section::Reset => reset::run(bench),
        Section::Start => start::run(bench),
        Section::Stages => stages::run(bench),
    }
}
