//! `dactyl models`: fetch and list networks.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use dactyl_fetch::{FileState, Progress, Source};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::cli::{ModelsCommand, ModelsFolder};
use crate::exit::{print, tell};

pub(super) fn run(command: &ModelsCommand) -> Result<ExitCode> {
    match command {
        ModelsCommand::Fetch { from, folder } => fetch(&place(folder)?, from.as_deref())?,
        ModelsCommand::List { folder } => list(&place(folder)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The models folder of the configuration, there or not.
fn place(folder: &ModelsFolder) -> Result<PathBuf> {
    let loaded = folder.layers.load(&folder.overrides)?;
    for misspelt in &loaded.misspelt {
        tell(format_args!("dactyl: {misspelt}"));
    }
    dactyl_config::install_loaded(&loaded);
    Ok(dactyl_config::find_or_place(&loaded.config.models.directory))
}

fn fetch(folder: &Path, from: Option<&Path>) -> Result<()> {
    let source = from.map_or(Source::Pip, |from| Source::Directory(from.to_owned()));
    let wanted = dactyl_fetch::list(folder)?.iter().filter(|status| status.state != FileState::Ready).count();
    let display = Display::new(wanted);
    let mut complete = false;
    let fetched = dactyl_fetch::ensure(folder, source, &mut |progress| {
        complete |= progress == Progress::Complete;
        display.show(&progress);
    });
    display.finish();
    fetched.with_context(|| format!("the models can't be fetched into {}", folder.display()))?;
    let state = if complete { "are all there already" } else { "are ready" };
    print(format_args!("the models {state}: {}", folder.display()))
}

fn list(folder: &Path) -> Result<()> {
    let all = dactyl_fetch::list(folder)?;
    print(format_args!("{}", folder.display()))?;
    let width = all.iter().map(|status| status.file.len()).max().unwrap_or(0);
    for status in &all {
        let state = match status.state {
            FileState::Ready => "ready",
            FileState::Changed => "changed",
            FileState::Missing => "missing",
        };
        let size = status.bytes.map_or_else(|| "-".to_owned(), |bytes| HumanBytes(bytes).to_string());
        print(format_args!(
            "  {:width$}  {state:8}  {size:>10}  {:10}  from {}, {}",
            status.file, status.licence, status.package, status.source
        ))?;
    }
    if all.iter().any(|status| status.state != FileState::Ready) {
        print(format_args!("`dactyl models fetch` makes all of them ready"))?;
    }
    Ok(())
}

/// Progress on standard error: a bar for a person, a line per step for a file.
struct Display {
    bar: Option<ProgressBar>,
}

impl Display {
    /// `files` are to be made.
    fn new(files: usize) -> Self {
        let show_bar = io::stderr().is_terminal() && files > 0;
        Self { bar: show_bar.then(|| Self::bar(files)) }
    }

    fn bar(files: usize) -> ProgressBar {
        let bar = ProgressBar::new(files as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {bar:24} {pos}/{len} files, {elapsed}: {msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn show(&self, progress: &Progress) {
        let (makes_file, text) = match progress {
            Progress::Complete => return,
            Progress::Downloading { package } => (false, format!("downloading {package}")),
            Progress::Verifying { archive } => (false, format!("verifying {archive}")),
            Progress::Unpacking { file } => (true, format!("unpacking {file}")),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.inc(u64::from(makes_file));
            }
            None => tell(format_args!("{text}")),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
