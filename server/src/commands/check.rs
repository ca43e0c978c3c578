//! `dactyl check`: what is wrong and how to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::{fmt, fs, thread};

use anyhow::{Context, Result};
use dactyl::auth::{self, Auth};
use dactyl::descriptors;
use dactyl::pipeline::{PipelineFile, Takes, offered, takes_pictures};
use dactyl_config::{Config, Kind, Origin};
use dactyl_fetch::FileState;
use dactyl_holistic::{Instructions, LoadError, Networks};
use dactyl_letters::{Contract, LIBRARY_NAME};
use gst::prelude::*;
use gstdactyl::models;

use crate::exit::{Chain, OutputClosed, print};
use crate::{cli, logging};

/// GStreamer elements that every pipeline of pictures needs, and the Debian package of each. What else a pipeline names is missed
/// where it is built.
const ELEMENTS: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("appsink", "gstreamer1.0-plugins-base"),
    ("queue", "libgstreamer1.0-0"),
    ("tee", "libgstreamer1.0-0"),
    ("fakesink", "libgstreamer1.0-0"),
    ("jpegdec", "gstreamer1.0-plugins-good"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoflip", "gstreamer1.0-plugins-good"),
];

/// What the control group of a container may use, in bytes or `max` (cgroup v2).
const MEMORY_LIMIT: &str = "/sys/fs/cgroup/memory.max";

/// The plugin that is part of this program.
const OWN_PLUGIN: &str = "dactyl";

pub(super) fn run(arguments: &cli::Check) -> Result<ExitCode> {
    let mut report = Report::default();
    report.section("configuration")?;
    match arguments.layers.load(&arguments.overrides) {
        Ok(loaded) => {
            dactyl_config::install_loaded(&loaded);
            if loaded.files.is_empty() {
                report.found("built-in values")?;
            }
            for file in &loaded.files {
                report.found(file.display())?;
            }
            let set_elsewhere = loaded
                .origins
                .values()
                .filter(|origin| matches!(origin, Origin::Environment(_) | Origin::Flag(_)))
                .count();
            if set_elsewhere > 0 {
                report.found(format_args!("{set_elsewhere} set by environment or flags"))?;
            }
            match logging::start(&loaded) {
                Ok(_log) => check_all(&loaded.config, &mut report)?,
                Err(error) => report.problem(Chain(&error))?,
            }
        }
        // Where the other files are is not known without it.
        Err(error) => report.problem(format_args!("{error}. Nothing else was checked"))?,
    }
    report.end()
}

fn check_all(config: &Config, report: &mut Report) -> Result<()> {
    if let Err(error) = dactyl::tls::load(&config.tls) {
        report.problem(Chain(&error))?;
    }
    if let Err(error) = Auth::load(config) {
        report.problem(Chain(&error))?;
    }
    if let Some(exposure) = auth::exposure(config) {
        report.warning(exposure)?;
    }
    if let Some(shortage) = descriptors::shortage(&config.server, descriptors::raise_limit()) {
        report.problem(shortage)?;
    }
    check_machine(report)?;
    check_gstreamer(report)?;
    check_networks(config, report)?;
    check_classifier(config, report)?;
    check_pipelines(config, report)
}

/// What the process sees of the machine: in a container, what its limits leave of it.
fn check_machine(report: &mut Report) -> Result<()> {
    report.section("machine")?;
    let processors = thread::available_parallelism().context("the number of processors can't be told")?;
    report.found(format_args!("processors that may be used: {processors}"))?;
    // Where there are none that will do, the networks say so.
    if let Ok(instructions) = Instructions::fastest() {
        report.found(format_args!("instructions: {}", format!("{instructions:?}").to_uppercase()))?;
    }
    let memory = match memory_limit(fs::read_to_string(MEMORY_LIMIT).ok().as_deref()) {
        Some(limit) => format!("{limit} MiB (limit of the control group)"),
        None => "no limit".to_owned(),
    };
    report.found(format_args!("memory that may be used: {memory}"))
}

/// The limit of a container's memory in MiB; `None` where the file of the control group names none, or is not there.
fn memory_limit(file: Option<&str>) -> Option<u64> {
    file?.trim().parse::<u64>().ok().map(|bytes| bytes >> 20)
}

fn check_gstreamer(report: &mut Report) -> Result<()> {
    report.section(&gst::version_string())?;
    for (element, package) in ELEMENTS {
        match gst::ElementFactory::find(element).and_then(|factory| factory.plugin()) {
            Some(plugin) => {
                let file = plugin.filename().map_or_else(String::new, |file| file.display().to_string());
                report.found(format_args!("{element:13} {file}"))?;
            }
            None => report.problem(format_args!(
                "there is no element {element}. Install it: apt-get install {package}; if it is installed, see what \
                 `gst-inspect-1.0 {element}` says and whether GST_PLUGIN_SYSTEM_PATH is set"
            ))?,
        }
    }
    dactyl::register_elements()?;
    for element in gst::Registry::get().features_by_plugin(OWN_PLUGIN) {
        report.found(format_args!("{} (part of this program)", element.name()))?;
    }
    Ok(())
}

/// ONNX Runtime and the networks: found, as they were fetched, and loadable.
fn check_networks(config: &Config, report: &mut Report) -> Result<()> {
    let folder = dactyl_config::find_or_place(&config.models.directory);
    let statuses = match dactyl_fetch::list(&folder) {
        Ok(statuses) => statuses,
        Err(error) => return report.problem(error),
    };
    report.section(&format!("ONNX Runtime and networks in {}", folder.display()))?;
    if !config.inference.runtime.is_empty() {
        match dactyl_config::find(&config.inference.runtime, Kind::File) {
            Ok(path) => report.found(path.display())?,
            Err(_) => report.found(format_args!("{} in the system's folders", config.inference.runtime))?,
        }
    }
    let takes_pictures = takes_pictures(&config.pipeline);
    for status in &statuses {
        let path = folder.join(&status.file);
        let is_library = status.file == LIBRARY_NAME;
        match status.state {
            // Another library is configured; the letter model tells whether it can be loaded.
            FileState::Missing if is_library && !config.inference.runtime.is_empty() => {}
            FileState::Missing if !is_library && !takes_pictures => {
                report.found(format_args!("{} is missing; no pipeline takes pictures", status.file))?;
            }
            FileState::Missing => {
                report.problem(format_args!("{} is missing. Run `dactyl models fetch`", path.display()))?;
            }
            FileState::Changed => report.problem(format_args!(
                "{} is not what this version fetches. Run `dactyl models fetch`",
                path.display()
            ))?,
            FileState::Ready if is_library => report.found(&status.file)?,
            FileState::Ready => {
                let bytes = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
                match Networks::check(&status.file, &bytes) {
                    Ok(()) => report.found(&status.file)?,
                    // The same for all of them.
                    Err(error @ LoadError::Processor(_)) => return report.problem(error),
                    Err(error) => report.problem(error)?,
                }
            }
        }
    }
    // Where it can't be loaded, the letter model says why.
    if models::onnx_runtime().is_ok()
        && let Some(build) = dactyl_letters::build_info()
    {
        report.found(build)?;
    }
    Ok(())
}

fn check_classifier(config: &Config, report: &mut Report) -> Result<()> {
    report.section("letter model")?;
    match models::classifier(&config.letters) {
        Ok(classifier) => {
            let is_own = config.letters.model == Config::builtin().letters.model;
            let place = if is_own {
                "part of this program".to_owned()
            } else {
                dactyl_config::find(&config.letters.model, Kind::File)?.display().to_string()
            };
            let Contract { labels, window, features, .. } = classifier.contract();
            report.found(format_args!(
                "{place}: {} labels, a window of {window} frames, features {}",
                labels.len(),
                features.as_str()
            ))
        }
        Err(error) => report.problem(Chain(&error.into())),
    }
}

/// Every file of the folder, and those that are configured.
fn check_pipelines(config: &Config, report: &mut Report) -> Result<()> {
    report.section("pipelines")?;
    let pipeline = &config.pipeline;
    let mut names: BTreeSet<String> = offered(pipeline).into_iter().map(str::to_owned).collect();
    // Without the folder, each configured name says where it was looked for.
    if let Ok(folder) = dactyl_config::find(&pipeline.directory, Kind::Directory) {
        let files = fs::read_dir(&folder).with_context(|| format!("{} can't be read", folder.display()))?;
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|end| end == "toml") {
                names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
            }
        }
    }
    for name in names {
        match PipelineFile::find(&name, pipeline)
            .and_then(|file| file.build(&BTreeMap::new()).map(|built| (file.path, built)))
        {
            Ok((path, built)) if built.takes == Takes::Landmarks || built.turns_pictures() => {
                report.found(path.display())?;
            }
            Ok((path, _)) => report.found(format_args!(
                "{}, which analyses every picture as it lies: `videoflip video-direction=auto` behind the decoder turns \
                 those upright whose Exif metadata say how",
                path.display()
            ))?,
            Err(error) if error.cause.starts_with("no element") => report.problem(format_args!(
                "{error}. Mend the name (`gst-inspect-1.0` lists those that there are) or install the plugin that has it"
            ))?,
            Err(error) => report.problem(error)?,
        }
    }
    Ok(())
}

/// Prints findings as they come and counts the problems.
#[derive(Debug, Default)]
struct Report {
    problems: usize,
}

impl Report {
    fn section(&self, title: &str) -> Result<()> {
        say(format_args!("{title}"))
    }

    fn found(&self, what: impl fmt::Display) -> Result<()> {
        say(format_args!("  ok     {what}"))
    }

    /// What is as it was asked for, and may not be what is wanted.
    fn warning(&self, what: impl fmt::Display) -> Result<()> {
        say(format_args!("  NOTE   {what}"))
    }

    fn problem(&mut self, what: impl fmt::Display) -> Result<()> {
        self.problems += 1;
        say(format_args!("  WRONG  {what}"))
    }

    fn end(&self) -> Result<ExitCode> {
        match self.problems {
            0 => say(format_args!("everything is in order"))?,
            1 => say(format_args!("1 problem"))?,
            many => say(format_args!("{many} problems"))?,
        }
        Ok(if self.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Prints a line. Whoever has read enough has not changed what is in order, which the exit code tells.
fn say(line: fmt::Arguments<'_>) -> Result<()> {
    match print(line) {
        Err(error) if error.is::<OutputClosed>() => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_s_limit_of_memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(memory_limit(Some("536870912\n")), Some(512));
        assert_eq!([memory_limit(Some("max\n")), memory_limit(Some("")), memory_limit(None)], [None; 3]);
    }
}
