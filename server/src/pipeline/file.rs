//! Pipeline files: a description, a pipeline in `gst-launch-1.0`'s language with `{parameter}` placeholders, and the
//! parameters' types and defaults.
//!
//! ```toml
//! description = "Mean over more frames"
//! launch = """
//! appsrc name=frames ... ! temporal-smoother history={history} ! feedback-throttle format=json ! appsink name=feedback
//! """
//! [parameters.history]
//! description = "Distributions averaged"
//! type = "integer"
//! default = 9
//! minimum = 1
//! maximum = 100
//! client = true   # may be set with ?history=... on the socket's address
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use dactyl_config::Kind;
use gst::prelude::*;
use gst_video::VideoOrientationMethod;
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

/// Name of the element that takes pictures.
pub const FRAMES: &str = "frames";
/// Name of the element that takes landmarks, where a pipeline takes these in place of pictures.
pub const LANDMARKS: &str = "landmarks";
/// Name of the element that gives the payloads.
pub const FEEDBACK: &str = "feedback";
const THROTTLE: &str = "feedback-throttle";

/// What is wrong with a pipeline file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct PipelineError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1, if it can be told.
    pub line: Option<usize>,
    /// What is wrong.
    pub cause: String,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.cause),
            None => write!(f, "{}: {}", self.path.display(), self.cause),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    description: String,
    launch: Spanned<String>,
    #[serde(default)]
    parameters: BTreeMap<Spanned<String>, Parameter>,
}

/// A parameter of a pipeline file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it does.
    pub description: String,
    /// What it may be set to.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
    /// Value unless it is set.
    pub default: toml::Value,
    /// Least number.
    pub minimum: Option<f64>,
    /// Largest number.
    pub maximum: Option<f64>,
    /// The values of a choice.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether a client may set it.
    #[serde(default)]
    pub client: bool,
}

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A text.
    Text,
    /// One of `values`.
    Choice,
}

/// A pipeline file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineFile {
    /// Name, without `.toml`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What the pipeline does.
    pub description: String,
    /// The parameters.
    pub parameters: BTreeMap<String, Parameter>,
    launch: String,
    /// The same as it stands in the file, with its quotes.
    source: String,
    /// Line of the file on which that begins.
    source_line: usize,
    /// Line of the file on which the text itself begins.
    first_line: usize,
}

/// What a pipeline makes letters of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// JPEGs.
    Pictures,
    /// Landmarks that the client has found.
    Landmarks,
}

impl Takes {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Landmarks => "landmarks",
        }
    }
}

/// Names of the pipelines that sessions may run, the configured one first. Of those that clients may ask for, as the delivered
/// configuration lists them, only the ones that are there: an operator's own folder need not have them.
pub fn offered(config: &dactyl_config::Pipeline) -> Vec<&str> {
    let is_as_delivered = config.allowed == dactyl_config::Config::builtin().pipeline.allowed;
    let allowed = config.allowed.iter().filter(|name| !is_as_delivered || path_of(name, config).is_ok());
    [&config.name].into_iter().chain(allowed).map(String::as_str).collect()
}

fn path_of(name: &str, config: &dactyl_config::Pipeline) -> Result<PathBuf, dactyl_config::NotFound> {
    let relative = Path::new(&config.directory).join(format!("{name}.toml"));
    dactyl_config::find(&relative.to_string_lossy(), Kind::File)
}

/// Whether a configured pipeline takes pictures, for which there must be networks, or cannot be built.
pub fn takes_pictures(config: &dactyl_config::Pipeline) -> bool {
    offered(config).into_iter().any(|name| {
        let built = PipelineFile::find(name, config).and_then(|file| file.build(&BTreeMap::new()));
        built.map_or(true, |built| built.takes == Takes::Pictures)
    })
}

/// A pipeline and those of its elements that the server talks to.
#[derive(Debug)]
pub struct Built {
    /// The whole.
    pub pipeline: gst::Pipeline,
    /// Takes the frames.
    pub frames: gst_app::AppSrc,
    /// What these are.
    pub takes: Takes,
    /// Gives the payloads.
    pub feedback: gst_app::AppSink,
    /// Every `feedback-throttle`.
    pub throttles: Vec<gst::Element>,
}

impl Built {
    /// Whether an element turns pictures upright that say how they lie.
    pub fn turns_pictures(&self) -> bool {
        self.pipeline.iterate_recurse().into_iter().flatten().any(|element| {
            element.find_property("video-direction").is_some()
                && element.property::<VideoOrientationMethod>("video-direction")
                    == VideoOrientationMethod::Auto
        })
    }
}

impl PipelineFile {
    /// Finds and reads the pipeline of that name in the configured folder.
    ///
    /// # Errors
    ///
    /// When there is no such file, or see [`parse`](Self::parse).
    pub fn find(name: &str, config: &dactyl_config::Pipeline) -> Result<Self, PipelineError> {
        let refuse = |cause: String| PipelineError { path: format!("{name}.toml").into(), line: None, cause };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(refuse("a pipeline's name has only letters, digits, - and _".to_owned()));
        }
        let path = path_of(name, config).map_err(|error| {
            refuse(format!("{error} (pipeline.directory, pipeline.name, pipeline.allowed)"))
        })?;
        let text = fs::read_to_string(&path).map_err(|error| PipelineError {
            path: path.clone(),
            line: None,
            cause: error.to_string(),
        })?;
        Self::parse(name, &path, &text)
    }

    /// Reads a pipeline file. Nothing is built.
    ///
    /// # Errors
    ///
    /// When it is not TOML of the right form, a default is outside its parameter's range, or a placeholder and the
    /// parameters do not match.
    pub fn parse(name: &str, path: &Path, text: &str) -> Result<Self, PipelineError> {
        let error = |line, cause| PipelineError { path: path.to_owned(), line, cause };
        let line_of = |offset: usize| text.get(..offset).map(|before| before.matches('\n').count() + 1);
        let document: Document = toml::from_str(text).map_err(|cause| {
            error(cause.span().and_then(|span| line_of(span.start)), cause.message().to_owned())
        })?;
        let source = text.get(document.launch.span()).unwrap_or_default().to_owned();
        let source_line = line_of(document.launch.span().start).unwrap_or(1);
        // A line end right behind the opening quotes of a multi-line text is not part of the text.
        let trimmed =
            ["\"\"\"\n", "'''\n", "\"\"\"\r\n", "'''\r\n"].iter().any(|quotes| source.starts_with(quotes));
        let file = Self {
            name: name.to_owned(),
            path: path.to_owned(),
            description: document.description,
            parameters: document.parameters.iter().map(|(k, v)| (k.get_ref().clone(), v.clone())).collect(),
            launch: document.launch.into_inner(),
            source,
            source_line,
            first_line: source_line + usize::from(trimmed),
        };
        for (name, parameter) in &document.parameters {
            let at = line_of(name.span().start);
            let name = name.get_ref();
            if !is_placeholder(name) {
                let cause = format!("parameter {name:?}: a name has only small letters, digits, - and _");
                return Err(error(at, cause));
            }
            if parameter.kind == ParameterKind::Choice && parameter.values.is_empty() {
                return Err(error(at, format!("parameter {name}: a choice needs values = [...]")));
            }
            let is_hostile =
                |value: &&String| parameter.kind == ParameterKind::Choice && quote(value).is_none();
            if let Some(value) = parameter.values.iter().find(is_hostile) {
                let cause =
                    format!(r#"parameter {name}: the value {value:?} must be a text without " and \"#);
                return Err(error(at, cause));
            }
            parameter
                .accept(&parameter.default)
                .map_err(|wanted| error(at, format!("parameter {name}: the default must be {wanted}")))?;
            if !file.placeholders().any(|placeholder| placeholder == name) {
                return Err(error(
                    at,
                    format!("parameter {name} stands nowhere in launch; write {{{name}}} there"),
                ));
            }
        }
        if let Some(unknown) = file.placeholders().find(|name| !file.parameters.contains_key(*name)) {
            let written = format!("{{{unknown}}}");
            let line = file.lines().find(|(_, text)| text.contains(&written)).map(|(line, _)| line);
            let cause = format!("{written} is not among the parameters; add [parameters.{unknown}]");
            return Err(error(line.or(Some(file.first_line)), cause));
        }
        Ok(file)
    }

    /// The pipeline's text with every placeholder replaced: by the value in `given`, written as on a command line, or
    /// by the default.
    ///
    /// # Errors
    ///
    /// A name in `given` that is no parameter or not one that clients may set, or a value outside its range.
    pub fn launch_text(&self, given: &BTreeMap<String, String>) -> Result<String, String> {
        for name in given.keys() {
            if !self.parameters.get(name).is_some_and(|parameter| parameter.client) {
                return Err(format!(
                    "{name:?} is not a parameter of pipeline {} that a client may set",
                    self.name
                ));
            }
        }
        let mut text = String::new();
        let mut rest = self.launch.as_str();
        while let Some((before, name, after)) = next_placeholder(rest) {
            text.push_str(before);
            if let Some(parameter) = self.parameters.get(name) {
                let value = match given.get(name) {
                    Some(written) => parameter.read(written),
                    None => parameter.default.clone(),
                };
                let value = parameter.accept(&value).map_err(|wanted| format!("{name} must be {wanted}"))?;
                text.push_str(&value);
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Builds the pipeline and finds in it what the server needs. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// When GStreamer cannot parse or link it, or an element that the server needs is missing; with the line where
    /// that can be told.
    pub fn build(&self, given: &BTreeMap<String, String>) -> Result<Built, PipelineError> {
        let text = self.launch_text(given).map_err(|cause| self.error(None, cause))?;
        let mut context = gst::ParseContext::new();
        let built = gst::parse::launch_full(&text, Some(&mut context), gst::ParseFlags::FATAL_ERRORS);
        let element = built.map_err(|cause| self.parse_error(&cause, &context))?;
        let pipeline = element.downcast::<gst::Pipeline>().map_err(|_| {
            self.error(Some(self.first_line), "a single element is not a pipeline".to_owned())
        })?;
        let missing = |kind: &str, name: &str, what: &str| {
            self.error(Some(self.first_line), format!("there is no {kind} name={name}; the server {what}"))
        };
        let source = |name: &str| {
            pipeline.by_name(name).and_then(|element| element.downcast::<gst_app::AppSrc>().ok())
        };
        let (frames, takes) = match (source(FRAMES), source(LANDMARKS)) {
            (Some(frames), None) => (frames, Takes::Pictures),
            (None, Some(landmarks)) => (landmarks, Takes::Landmarks),
            (Some(_), Some(_)) => {
                let cause = format!(
                    "there is an appsrc name={FRAMES} and one name={LANDMARKS}; a session sends pictures or landmarks: write a \
                     pipeline for each"
                );
                return Err(self.error(self.line_with(LANDMARKS), cause));
            }
            (None, None) => {
                let place = "puts JPEG frames in there, or landmarks in one name=landmarks";
                return Err(missing("appsrc", FRAMES, place));
            }
        };
        let feedback =
            pipeline.by_name(FEEDBACK).and_then(|element| element.downcast::<gst_app::AppSink>().ok());
        let feedback = feedback.ok_or_else(|| missing("appsink", FEEDBACK, "takes the payloads there"))?;
        // It plays before its first buffer comes: a flush while it changed its state left it waiting for ever.
        feedback.set_property("async", false);
        let throttles: Vec<gst::Element> = pipeline
            .iterate_recurse()
            .into_iter()
            .filter_map(Result::ok)
            .filter(|element| is_of(element, THROTTLE))
            .collect();
        if throttles.is_empty() {
            let cause = format!("there is no {THROTTLE}; it takes the letters and makes the payloads");
            return Err(self.error(Some(self.first_line), cause));
        }
        if let Some(throttle) = nearest_throttle(&feedback) {
            let format = throttle.property_value("format");
            let format = gst::glib::EnumValue::from_value(&format).map(|(_, value)| value.nick().to_owned());
            if format.as_deref() != Some("json") {
                let cause = format!("the {THROTTLE} before appsink name={FEEDBACK} must have format=json");
                return Err(self.error(self.line_with(FEEDBACK), cause));
            }
        }
        Ok(Built { pipeline, frames, takes, feedback, throttles })
    }

    /// The error that a running pipeline posted, with the line of the element that posted it.
    pub fn runtime_error(&self, message: &gst::message::Error) -> PipelineError {
        let element = message.src().map(|source| source.name().to_string());
        let line = element.as_deref().and_then(|name| self.line_of_element(name));
        // Behind the place in the source, on a line of its own, if there is one at all.
        let debug = message.debug();
        let detail =
            debug.as_deref().and_then(|debug| debug.split_once('\n')).map(|(_, detail)| detail.trim());
        let detail =
            detail.filter(|detail| !detail.is_empty()).map(|d| format!(" ({d})")).unwrap_or_default();
        let who = element.map(|name| format!("{name}: ")).unwrap_or_default();
        self.error(line, format!("{who}{}{detail}", message.error()))
    }

    /// An error in this file.
    pub fn error(&self, line: Option<usize>, cause: String) -> PipelineError {
        PipelineError { path: self.path.clone(), line, cause }
    }

    fn placeholders(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.launch.as_str();
        std::iter::from_fn(move || {
            let (_, name, after) = next_placeholder(rest)?;
            rest = after;
            Some(name)
        })
    }

    /// The lines of the file on which `launch` stands, as they are written there: those of its text are others where it has
    /// escapes.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (self.source_line..).zip(self.source.lines())
    }

    fn parse_error(&self, error: &gst::glib::Error, context: &gst::ParseContext) -> PipelineError {
        let message = error.message().to_owned();
        let missing = context.missing_elements();
        // What the message quotes, most telling first: an element that does not exist, then names in quotes (of a
        // property, of an element), then the elements that do not link.
        let quoted = message.split('"').skip(1).step_by(2).map(str::to_owned);
        let words = message.split([' ', ',']).map(str::to_owned);
        let names = missing.iter().map(ToString::to_string).chain(quoted).chain(words);
        let line =
            names.into_iter().find_map(|name| self.line_with(&name).or_else(|| self.line_of_element(&name)));
        self.error(line.or(Some(self.first_line)), message)
    }

    /// The line on which an element's name (`jpegdec0`, `holistickeypoints3`) or its factory stands.
    fn line_of_element(&self, name: &str) -> Option<usize> {
        let factory = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if factory.len() < 3 {
            return None;
        }
        self.tokens()
            .find(|(_, token)| {
                *token == name || (token.len() > 2 && factory.ends_with(&token.replace('-', "")))
            })
            .map(|(line, _)| line)
    }

    /// The line on which `word` stands as an element, a property or a value.
    fn line_with(&self, word: &str) -> Option<usize> {
        if word.len() < 3 {
            return None;
        }
        self.tokens().find(|(_, token)| *token == word).map(|(line, _)| line)
    }

    fn tokens(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().flat_map(|(line, text)| {
            let tokens = text.split(|c: char| c.is_whitespace() || "!=\"'.,\\".contains(c));
            tokens.filter(|token| !token.is_empty()).map(move |token| (line, token))
        })
    }
}

impl Parameter {
    /// Reads a value as it is written in a web address.
    fn read(&self, written: &str) -> toml::Value {
        let as_text = || toml::Value::String(written.to_owned());
        match self.kind {
            ParameterKind::Integer => written.parse().map_or_else(|_| as_text(), toml::Value::Integer),
            ParameterKind::Number => written.parse().map_or_else(|_| as_text(), toml::Value::Float),
            ParameterKind::Switch => written.parse().map_or_else(|_| as_text(), toml::Value::Boolean),
            ParameterKind::Text | ParameterKind::Choice => as_text(),
        }
    }

    /// `value` as it is written into a pipeline's text, or what it should have been.
    fn accept(&self, value: &toml::Value) -> Result<String, String> {
        let in_range = |number: f64| {
            number.is_finite()
                && self.minimum.is_none_or(|least| number >= least)
                && self.maximum.is_none_or(|most| number <= most)
        };
        let accepted = match (self.kind, value) {
            (ParameterKind::Integer, toml::Value::Integer(number)) if in_range(*number as f64) => {
                Some(number.to_string())
            }
            (ParameterKind::Number, toml::Value::Integer(number)) if in_range(*number as f64) => {
                Some(number.to_string())
            }
            (ParameterKind::Number, toml::Value::Float(number)) if in_range(*number) => {
                Some(number.to_string())
            }
            (ParameterKind::Switch, toml::Value::Boolean(switch)) => Some(switch.to_string()),
            (ParameterKind::Text, toml::Value::String(text)) => quote(text),
            (ParameterKind::Choice, toml::Value::String(text)) if self.values.contains(text) => quote(text),
            _ => None,
        };
        accepted.ok_or_else(|| self.wanted())
    }

    fn wanted(&self) -> String {
        let bounds = match (self.minimum, self.maximum) {
            (Some(least), Some(most)) => format!(" from {least} to {most}"),
            (Some(least), None) => format!(" of at least {least}"),
            (None, Some(most)) => format!(" of at most {most}"),
            (None, None) => String::new(),
        };
        match self.kind {
            ParameterKind::Integer => format!("a whole number{bounds}"),
            ParameterKind::Number => format!("a number{bounds}"),
            ParameterKind::Switch => "true or false".to_owned(),
            ParameterKind::Text => r#"a text without " and \"#.to_owned(),
            ParameterKind::Choice => format!("one of {}", self.values.join(", ")),
        }
    }
}

/// A text as one value of a pipeline's text. `None` for what GStreamer's parser cannot be told unmistakably: it looks for
/// the last quote that may end a text, so that a text which ends in a backslash swallows what follows it.
fn quote(text: &str) -> Option<String> {
    (!text.contains(['"', '\\'])).then(|| format!("\"{text}\""))
}

/// Splits at the first `{name}`. Lists of caps such as `{ RGB, BGR }` are no placeholders: they have spaces or capitals.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('{')?;
        let close = open + text.get(open..)?.find('}')?;
        let name = text.get(open + 1..close)?;
        if is_placeholder(name) {
            return Some((text.get(..open)?, name, text.get(close + 1..)?));
        }
        from = open + 1;
    }
}

fn is_placeholder(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain)
}

/// The `feedback-throttle` whose payloads reach `sink`, through whatever lies between.
pub(crate) fn nearest_throttle(sink: &gst_app::AppSink) -> Option<gst::Element> {
    let mut element: gst::Element = sink.clone().upcast();
    // A pipeline has no circles; the bound is for one that does.
    for _ in 0..1000 {
        if is_of(&element, THROTTLE) {
            return Some(element);
        }
        let pad = element.sink_pads().into_iter().next()?;
        element = pad.peer()?.parent_element()?;
    }
    None
}

fn is_of(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|found| found.name() == factory)
}

#[cfg(test)]
mod tests;
