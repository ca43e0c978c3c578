//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::clip::Clip;

/// Measures Dactyl and MediaPipe Holistic in Python in turn and prints Markdown tables: what each measured, and the ratio.
///
/// Progress goes to standard error, the tables to standard output. BENCHMARKS.md says which frames the published figures
/// come from and how the rival is set up.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// What a child process of this program does.
    #[command(subcommand)]
    pub child: Option<Child>,
    /// What is measured.
    #[command(flatten)]
    pub measure: Measure,
}

/// What is measured, and on what.
#[derive(Debug, Args)]
pub struct Measure {
    /// Folder of numbered JPEGs that show a person, and its name in the tables; may be given several times. The first one
    /// is what the servers are sent.
    #[arg(long = "clip", value_name = "NAME=FOLDER", required = true)]
    pub clips: Vec<Clip>,

    /// Python of an environment with the rival's packages; without it only Dactyl is measured.
    #[arg(long, value_name = "PYTHON")]
    pub rival_python: Option<PathBuf>,

    /// Folder of the rival's server (server.py, mklstm.py); without it only the CPU time of MediaPipe is compared.
    #[arg(long, value_name = "FOLDER", requires = "rival_python")]
    pub rival_server: Option<PathBuf>,

    /// Sections to run, separated by commas; all of them unless given.
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    pub only: Vec<Section>,

    /// Rounds of each measurement; a round measures every contender once. [default: 5, with --quick 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,

    /// Few frames and short times: shows that everything works, and gives no figure to keep.
    #[arg(long)]
    pub quick: bool,

    /// The server to measure. [default: dactyl beside this program]
    #[arg(long, value_name = "PROGRAM")]
    pub dactyl: Option<PathBuf>,
}

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
    /// Two hundred sessions that send landmarks.
    Landmarks,
    /// New letters.
    Reset,
    /// From the start of the process until it is ready.
    Start,
    /// Where a frame's CPU time goes.
    Stages,
}

impl Section {
    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cpu => "Frames per CPU-second",
            Self::Latency => "Frame to feedback, one session",
            Self::Load => "Eight sessions, 30 frames a second each",
            Self::Memory => "Resident memory",
            Self::Landmarks => "Two hundred sessions of landmarks, 15 frames a second each",
            Self::Reset => "A new letter",
            Self::Start => "From the start of the process until it is ready",
            Self::Stages => "Where a frame's CPU time goes",
        }
    }
}

/// Work whose CPU time is measured in a process of its own; prints JSON.
#[derive(Debug, Subcommand)]
pub enum Child {
    /// CPU time and parts of each frame.
    #[command(hide = true)]
    Analyse(Frames),
    /// CPU time of each stage.
    #[command(hide = true)]
    Stages(Frames),
}

/// Frames that a child analyses.
#[derive(Debug, Args)]
pub struct Frames {
    /// Folder of the frames.
    pub folder: PathBuf,
    /// Number of frames that count.
    pub frames: usize,
    /// Configuration, KEY=VALUE.
    #[arg(long = "set")]
    pub settings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sections_and_clips_are_read() {
        let line = "dactyl-bench --clip a=b --clip c=d --only cpu,start --quick";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(cli.measure.only, [Section::Cpu, Section::Start]);
        assert_eq!(cli.measure.clips.len(), 2);
        assert!(Cli::try_parse_from(["dactyl-bench"]).is_err(), "nothing to measure with");
        let child = Cli::try_parse_from(["dactyl-bench", "analyse", "folder", "3", "--set", "a=b"]).unwrap();
        assert!(matches!(child.child, Some(Child::Analyse(Frames { frames: 3, .. }))));
    }
}
