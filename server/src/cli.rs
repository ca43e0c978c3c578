//! The command line. What `--help` shows is the operator's manual.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueHint};
use dactyl_config::{ConfigError, Key, Loaded, Loader, Values};

const EXAMPLES: &str = "\
Examples:
  dactyl models fetch                        fetch the networks, once
  dactyl check                               say what is wrong and how to mend it
  dactyl serve                               serve on 127.0.0.1:8080
  dactyl serve --config mine.toml            with parameters of your own
  dactyl send frames/ --letter A             stream a folder of JPEGs, print the answers

Configuration, later wins: built-in values, --config FILE, environment variables
DACTYL_SECTION__KEY (such as DACTYL_SERVER__LISTEN), flags. `dactyl config --defaults` prints every
parameter with its meaning and range, `dactyl config` the values in force and where each came from.

Exit codes: 0 = done, 1 = failed, 2 = the command line or the configuration is wrong.";

/// Real-time fingerspelling recogniser: frames of a camera in, letters out
#[derive(Debug, Parser)]
#[command(name = "dactyl", version, propagate_version = true, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Send(Send),
    Check(Check),
    Config(ShowConfig),
    Models(Models),
}

/// Serve the WebSocket and its HTTP pages
///
/// Loads the configuration, checks it, loads and warms the networks, and only then takes the address and prints it.
/// ctrl-C or SIGTERM closes every session and ends; a second one ends at once. SIGTERM drains first where
/// server.drain_notice_ms or server.drain_ms say so. SIGHUP takes certificate, keys, limits and pipelines anew.
#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) layers: Layers,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// Stream JPEG files to a server and print its answers
///
/// The smallest client. Every answer is a line: seconds since the connection, the letter (- for nothing), the
/// probability of the letter of --letter. Errors of the server go to standard error; a summary ends the output.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// JPEG files, or folders of files that end in .jpg or .jpeg; a folder's files go in natural order (2 before 10)
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Address of the server's WebSocket; ?extras=... and ?pipeline=NAME may follow
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub(crate) url: String,
    /// File that holds the key or the token, for a server that asks for one [env: DACTYL_KEY=the key itself]
    ///
    /// There is no flag for the key itself: everybody on the machine can see the arguments of a program.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key_file: Option<PathBuf>,
    /// Letter to practise, sent before the first frame; without it target_arg_prob stays 0
    #[arg(long, value_name = "LETTER")]
    pub(crate) letter: Option<String>,
    /// Frames per second, more than 0 and up to 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 15.0, value_parser = frame_rate)]
    pub(crate) fps: f64,
    /// Send frames as JSON with base64
    #[arg(long, conflicts_with = "binary")]
    pub(crate) json: bool,
    /// Send frames as bare JPEGs in binary messages (what is done without --json)
    #[arg(long)]
    pub(crate) binary: bool,
    /// Begin again after the last file, until ctrl-C
    #[arg(long = "loop")]
    pub(crate) repeat: bool,
}

/// Say what is wrong and how to mend it
///
/// Checks the configuration, GStreamer and its elements, ONNX Runtime, the networks, the letter model and every
/// pipeline file, and prints where each file was found. Every problem comes with file, line, cause and cure.
/// The exit code is 1 if there is any.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) layers: Layers,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// Print the parameters in force and where each one came from
///
/// The output is a configuration file itself.
#[derive(Debug, Args)]
pub(crate) struct ShowConfig {
    /// Print the built-in values instead, with the meaning, unit and range of every parameter
    #[arg(long)]
    pub(crate) defaults: bool,
    #[command(flatten)]
    pub(crate) layers: Layers,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// Fetch and list networks
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Download, verify and unpack what is missing
    ///
    /// Fetches two pinned Python wheels with pip (about 60 MB), checks their SHA-256, and takes ONNX Runtime and the
    /// MediaPipe networks out of them. No Python of theirs is installed or run. A second run finds everything in place and
    /// needs no network; a failed one leaves the folder as it was.
    Fetch {
        /// Take the wheels from this folder instead of downloading them, for machines without network
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        from: Option<PathBuf>,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// List the files of the models folder with state, size, licence and origin
    List {
        #[command(flatten)]
        folder: ModelsFolder,
    },
}

/// What says where the models folder is.
#[derive(Debug, Args)]
pub(crate) struct ModelsFolder {
    #[command(flatten)]
    pub(crate) layers: Layers,
    #[command(flatten)]
    pub(crate) overrides: Overrides<ModelsFlags>,
}

/// Configuration files and single parameters.
#[derive(Debug, Clone, Args)]
pub(crate) struct Layers {
    /// Configuration file; may be given several times, later wins [env: DACTYL_CONFIG]
    #[arg(long = "config", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    files: Vec<PathBuf>,
    /// Set any parameter, for example --set smoothing.history=1; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Configuration")]
    assignments: Vec<(String, String)>,
}

impl Layers {
    /// Lays files, the environment, then the flags over the built-in values.
    pub(crate) fn load<F: FlagSet>(&self, overrides: &Overrides<F>) -> Result<Loaded, ConfigError> {
        // Not by clap, which takes an empty variable for a file without a name.
        let default = if self.files.is_empty() { dactyl_config::file_of_environment() } else { None };
        let files = self.files.iter().cloned().chain(default);
        let mut loader = files.fold(Loader::new(), Loader::file).environment(std::env::vars_os());
        for (key, text) in &self.assignments {
            loader = loader.flag("--set", key, text);
        }
        for (flag, text) in &overrides.given {
            loader = loader.flag(&format!("--{}", flag.name), flag.key, &flag.resolve(text));
        }
        loader.load()
    }
}

/// A flag that stands for a parameter. It has no default of its own, which would overwrite a file's value.
#[derive(Debug)]
struct Flag {
    name: &'static str,
    key: &'static str,
    value: &'static str,
}

impl Flag {
    /// What the key means, its default and its environment variable.
    fn help(&self) -> String {
        let Some(key) = Key::find(self.key) else { return String::new() };
        let default = key.default.as_str().map_or_else(|| key.default.to_string(), str::to_owned);
        let default = if default.is_empty() { "none" } else { &default };
        let sentence = key.sentence().trim_end_matches('.').replace('`', "");
        let words = match key.values {
            Values::Choice(words) => {
                format!(": {}", words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or "))
            }
            _ => String::new(),
        };
        format!("{sentence}{words} [default: {default}] [env: {}]", key.variable())
    }

    /// A path on the command line starts from where the command is given; in a file it is looked up.
    fn resolve(&self, text: &str) -> String {
        let names_path = matches!(self.value, "DIR" | "FILE");
        let absolute = std::path::absolute(text).ok().filter(|_| names_path);
        absolute.and_then(|path| path.into_os_string().into_string().ok()).unwrap_or_else(|| text.to_owned())
    }
}

const FLAGS: &[Flag] = &[
    Flag { name: "listen", key: "server.listen", value: "HOST:PORT" },
    Flag { name: "max-sessions", key: "server.max_sessions", value: "NUMBER" },
    Flag { name: "tls-certificate", key: "tls.certificate", value: "FILE" },
    Flag { name: "tls-key", key: "tls.key", value: "FILE" },
    Flag { name: "pipeline", key: "pipeline.name", value: "NAME" },
    Flag { name: "pipelines", key: "pipeline.directory", value: "DIR" },
    Flag { name: "slots", key: "inference.slots", value: "NUMBER" },
    Flag { name: "models", key: "models.directory", value: "DIR" },
    Flag { name: "model", key: "letters.model", value: "FILE" },
    Flag { name: "log-level", key: "log.level", value: "LEVEL" },
    Flag { name: "log-format", key: "log.format", value: "FORMAT" },
];

/// Which of [`FLAGS`] a command takes.
pub(crate) trait FlagSet {
    /// Whether the flag of that name is among them.
    fn has(name: &str) -> bool;
}

/// All of them.
#[derive(Debug, Clone)]
pub(crate) struct AllFlags;

impl FlagSet for AllFlags {
    fn has(_name: &str) -> bool {
        true
    }
}

/// The one that names the models folder.
#[derive(Debug)]
pub(crate) struct ModelsFlags;

impl FlagSet for ModelsFlags {
    fn has(name: &str) -> bool {
        name == "models"
    }
}

/// The values of the flags in [`FLAGS`] that were given.
#[derive(Debug, Clone)]
pub(crate) struct Overrides<F = AllFlags> {
    given: Vec<(&'static Flag, String)>,
    flags: PhantomData<F>,
}

impl<F: FlagSet> Args for Overrides<F> {
    fn augment_args(command: clap::Command) -> clap::Command {
        FLAGS.iter().filter(|flag| F::has(flag.name)).fold(command, |command, flag| {
            command.arg(
                Arg::new(flag.name)
                    .long(flag.name)
                    .value_name(flag.value)
                    .help(flag.help())
                    .help_heading("Frequent parameters"),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<F: FlagSet> FromArgMatches for Overrides<F> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = FLAGS.iter().filter(|flag| F::has(flag.name));
        let given = flags.filter_map(|flag| Some((flag, matches.get_one::<String>(flag.name)?.clone())));
        Ok(Self { given: given.collect(), flags: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn frame_rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number > 0.0 && number <= 1000.0 {
        Ok(number)
    } else {
        Err("not more than 0 and up to 1000".to_owned())
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not of the form section.key=value")?;
    if Key::find(key).is_none() {
        return Err(format!("there is no parameter {key}; the nearest is {}", Key::nearest(key)));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_stands_for_a_parameter_that_exists() {
        for flag in FLAGS {
            assert!(Key::find(flag.key).is_some(), "--{} stands for {}", flag.name, flag.key);
        }
    }

    #[test]
    fn the_frame_rate_is_a_finite_positive_number() {
        assert_eq!(frame_rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "NaN", "inf", "1001", "x"] {
            assert!(frame_rate(text).is_err(), "{text}");
        }
    }
}
