//! `dactyl models`: fetch, list and import networks.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use dactyl_models::fetch::{self, FileState, Progress, Source};
use dactyl_models::import;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::cli::{ModelsCommand, ModelsFolder};
use crate::exit::print;

pub(super) fn run(command: &ModelsCommand) -> Result<ExitCode> {
    match command {
        ModelsCommand::Fetch { from, folder } => fetch(&place(folder)?, from.as_deref())?,
        ModelsCommand::List { folder } => list(&place(folder)?)?,
        ModelsCommand::Import { input, output, pruned_outputs } => {
            import_file(input, output, pruned_outputs)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The models folder of the configuration, there or not.
fn place(folder: &ModelsFolder) -> Result<PathBuf> {
    let loaded = folder.layers.load(&folder.overrides)?;
    dactyl_config::install_loaded(&loaded);
    Ok(dactyl_config::find_or_place(&loaded.config.models.directory))
}

fn fetch(folder: &Path, from: Option<&Path>) -> Result<()> {
    let source = from.map_or(Source::Pip, |from| Source::Directory(from.to_owned()));
    let wanted = fetch::list(folder)?.iter().filter(|status| status.state != FileState::Ready).count();
    let display = Display::new(wanted);
    let mut complete = false;
    let fetched = fetch::ensure(folder, source, &mut |progress| {
        complete |= progress == Progress::Complete;
        display.show(&progress);
    });
    display.finish();
    fetched.with_context(|| format!("the models can't be fetched into {}", folder.display()))?;
    let state = if complete { "are all there already" } else { "are ready" };
    print(format_args!("the models {state}: {}", folder.display()))
}

fn list(folder: &Path) -> Result<()> {
    let all = fetch::list(folder)?;
    print(format_args!("{}", folder.display()))?;
    let width = all.iter().map(|status| status.file.len()).max().unwrap_or(0);
    for status in &all {
        let state = match status.state {
            FileState::Ready => "ready",
            FileState::Outdated => "outdated",
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

fn import_file(input: &Path, output: &Path, pruned_outputs: &[usize]) -> Result<()> {
    let tflite = fs::read(input).with_context(|| format!("{} can't be read", input.display()))?;
    let name =
        input.file_name().map_or_else(|| input.display().to_string(), |name| name.to_string_lossy().into());
    let model = import::convert(&tflite, &import::Options { name, pruned_outputs: pruned_outputs.to_vec() })?;
    write_whole(output, &model)?;
    print(format_args!("{}: {}", output.display(), HumanBytes(model.len() as u64)))
}

/// Writes a file in one step, so that a reader sees the old one or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("{} can't be written", path.display()))
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
            Progress::Importing { file } => (true, format!("importing {file}")),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.inc(u64::from(makes_file));
            }
            // A closed standard error is no reason to stop.
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
