//! Layers of configuration: what is laid over what, and what is refused.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;
use toml::de::{DeTable, DeValue};

use crate::declaration::PREFIX;
use crate::{Config, KEYS, Key, WebOrigin, network};

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    BuiltIn,
    /// A line of a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: the configuration file cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not TOML.
    #[error("{origin}: not TOML: {cause}")]
    Syntax {
        /// File and line.
        origin: Origin,
        /// What the parser says.
        cause: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key}; the nearest known key is {nearest}")]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The known key that looks most like it.
        nearest: &'static str,
    },
    /// A value outside the key's range or of another type.
    #[error("{origin}: {key} = {value} is refused: it must be {wanted}")]
    OutOfRange {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// What was written.
        value: String,
        /// What may be written.
        wanted: String,
    },
    /// Two values that do not go together.
    #[error("{origin}: {key} is refused: {cause}")]
    Contradiction {
        /// Where the first of them was set.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What it disagrees with, and what to do.
        cause: String,
    },
}

/// An environment variable that sets nothing, although it looks as if it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelt {
    /// Its name.
    pub variable: String,
    /// The name of the variable that is meant.
    pub meant: String,
}

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {} sets nothing; write {}", self.variable, self.meant)
    }
}

/// A configuration and where each of its values was set.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// Where each key was set.
    pub origins: BTreeMap<&'static str, Origin>,
    /// The files read, in the order they were laid.
    pub files: Vec<PathBuf>,
    /// Environment variables that were passed over and should be told of.
    pub misspelt: Vec<Misspelt>,
    values: BTreeMap<&'static str, toml::Value>,
}

impl Loaded {
    /// The value in force of a key, as TOML.
    pub fn value(&self, key: &Key) -> Option<String> {
        self.values.get(key.path).map(ToString::to_string)
    }

    /// Where a key was set.
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::BuiltIn)
    }
}

enum Layer {
    File(PathBuf),
    Text { path: PathBuf, text: String },
    Assignment { path: String, text: String, origin: Origin },
}

/// Collects layers over the built-in defaults; later wins.
#[derive(Default)]
pub struct Loader {
    layers: Vec<Layer>,
    misspelt: Vec<Misspelt>,
}

impl Loader {
    /// Starts with the built-in defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a file over what there is.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.layers.push(Layer::File(path.into()));
        self
    }

    /// Lays a text over what there is, as if it stood in a file of that path. [`Loaded::files`] does not list it.
    #[must_use]
    pub fn text(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.layers.push(Layer::Text { path: path.into(), text: text.into() });
        self
    }

    /// Lays environment variables of the form `DACTYL_SECTION__KEY` over what there is. Others are passed over, so
    /// the whole environment may be given, as [`std::env::vars_os`] does; those that differ from a key's variable in
    /// case or in the number of underscores alone are told of in [`Loaded::misspelt`].
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        for (name, text) in variables {
            // One that is not UTF-8 can't set a parameter.
            let (Ok(name), Ok(text)) = (name.into_string(), text.into_string()) else { continue };
            match name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) {
                Some((section, key)) => {
                    let path = format!("{}.{}", section.to_ascii_lowercase(), key.to_ascii_lowercase());
                    if Key::find(&path).is_some() || !is_service_link(&name) {
                        self.layers.push(Layer::Assignment { path, text, origin: Origin::Environment(name) });
                    }
                }
                None => self.misspelt.extend(meant_by(&name)),
            }
        }
        self
    }

    /// Sets one key from a flag of the command line; `flag` is its name with the dashes.
    #[must_use]
    pub fn flag(mut self, flag: &str, path: &str, text: &str) -> Self {
        self.layers.push(Layer::Assignment {
            path: path.to_owned(),
            text: text.to_owned(),
            origin: Origin::Flag(flag.to_owned()),
        });
        self
    }

    /// Reads and checks every layer.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong: an unreadable file, a line that is not TOML, an unknown key, a value out of its
    /// range, or two values that contradict each other.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let mut values = Values::default();
        for key in KEYS.iter() {
            values.set(key.path, &key.default, Origin::BuiltIn)?;
        }
        let mut files = Vec::new();
        for layer in self.layers {
            match layer {
                Layer::File(path) => {
                    let text = fs::read_to_string(&path)
                        .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
                    values.lay_file(&path, &text)?;
                    files.push(path);
                }
                Layer::Text { path, text } => values.lay_file(&path, &text)?,
                Layer::Assignment { path, text, origin } => {
                    let value = known(&path, &origin)?.values.read(&text);
                    values.set(&path, &value, origin)?;
                }
            }
        }
        values.finish(files, self.misspelt)
    }
}

#[derive(Default)]
struct Values {
    values: BTreeMap<&'static str, toml::Value>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Values {
    fn set(&mut self, path: &str, value: &toml::Value, origin: Origin) -> Result<(), ConfigError> {
        let key = known(path, &origin)?;
        let Some(accepted) = key.values.accept(value) else {
            return Err(ConfigError::OutOfRange {
                origin,
                key: path.to_owned(),
                value: value.to_string(),
                wanted: key.values.to_string(),
            });
        };
        self.values.insert(key.path, accepted);
        self.origins.insert(key.path, origin);
        Ok(())
    }

    fn lay_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let at = |offset: usize| Origin::File { path: path.to_owned(), line: line_of(text, offset) };
        let syntax = |error: &toml::de::Error| ConfigError::Syntax {
            origin: at(error.span().map_or(0, |span| span.start)),
            cause: error.message().to_owned(),
        };
        let document = DeTable::parse(text).map_err(|error| syntax(&error))?;
        for (section, entry) in document.get_ref() {
            let origin = at(section.span().start);
            let DeValue::Table(table) = entry.get_ref() else {
                return Err(unknown(section.get_ref(), origin));
            };
            if !KEYS.iter().any(|key| key.section_and_name().0 == section.get_ref()) {
                let first = table.iter().next().map(|(name, _)| name.get_ref().as_ref()).unwrap_or_default();
                return Err(unknown(&format!("{}.{first}", section.get_ref()), origin));
            }
            for (name, value) in table {
                let value = toml::Value::deserialize(toml::de::ValueDeserializer::from(value.clone()))
                    .map_err(|error| syntax(&error))?;
                self.set(
                    &format!("{}.{}", section.get_ref(), name.get_ref()),
                    &value,
                    at(name.span().start),
                )?;
            }
        }
        Ok(())
    }

    fn finish(self, files: Vec<PathBuf>, misspelt: Vec<Misspelt>) -> Result<Loaded, ConfigError> {
        let mut tree = toml::Table::new();
        for (path, value) in &self.values {
            if let Some((section, name)) = path.split_once('.') {
                let section = tree.entry(section).or_insert_with(|| toml::Table::new().into());
                if let Some(table) = section.as_table_mut() {
                    table.insert(name.to_owned(), value.clone());
                }
            }
        }
        let config: Config = tree.try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
            origin: Origin::BuiltIn,
            cause: error.message().to_owned(),
        })?;
        let loaded = Loaded { config, origins: self.origins, files, misspelt, values: self.values };
        agree(&loaded)?;
        Ok(loaded)
    }
}

fn known(path: &str, origin: &Origin) -> Result<&'static Key, ConfigError> {
    Key::find(path).ok_or_else(|| unknown(path, origin.clone()))
}

fn unknown(path: &str, origin: Origin) -> ConfigError {
    ConfigError::UnknownKey {
        origin,
        key: path.trim_end_matches('.').to_owned(),
        nearest: Key::nearest(path),
    }
}

/// The variable that was meant by one that sets nothing.
fn meant_by(variable: &str) -> Option<Misspelt> {
    let flat = |name: &str| name.to_ascii_uppercase().replace("__", "_");
    let meant = KEYS.iter().map(Key::variable).find(|known| flat(known) == flat(variable))?;
    Some(Misspelt { variable: variable.to_owned(), meant })
}

/// Whether Kubernetes sets a variable of that name for a service whose name begins with `dactyl-`. A second hyphen becomes
/// the two underscores that separate a section from its key.
fn is_service_link(variable: &str) -> bool {
    let is_port = |(_, port): (&str, &str)| port.starts_with(|digit: char| digit.is_ascii_digit());
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.rsplit_once("_PORT_").is_some_and(is_port)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// What no range of a single key can say.
fn agree(loaded: &Loaded) -> Result<(), ConfigError> {
    let config = &loaded.config;
    let server = &config.server;
    let refuse = |key: &'static str, cause: String| {
        Err(ConfigError::Contradiction { origin: loaded.origin(key), key, cause })
    };
    let optional =
        [("admin.listen", &config.admin.listen), ("admin.agent_listen", &config.admin.agent_listen)];
    let set = optional.into_iter().filter(|(_, listen)| !listen.is_empty());
    for (key, listen) in set.chain([("server.listen", &server.listen)]) {
        let port = listen.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.is_none_or(|port| port.parse::<u16>().is_err()) {
            return refuse(key, format!("{listen:?} is not host:port with a port from 0 to 65535"));
        }
    }
    let is_origin = |listed: &String| listed == "null" || WebOrigin::parse_listed(listed).is_some();
    if let Some(listed) = server.allowed_origins.iter().find(|listed| !is_origin(listed)) {
        return refuse(
            "server.allowed_origins",
            format!(
                "{listed:?} is the origin of no page; write scheme://host, scheme://host:port, file:// or null"
            ),
        );
    }
    if let Some(listed) = server.trusted_proxies.iter().find(|listed| network(listed).is_none()) {
        return refuse(
            "server.trusted_proxies",
            format!("{listed:?} is no address and no network; write 192.0.2.1 or 192.0.2.0/24"),
        );
    }
    if server.proxy_protocol && server.trusted_proxies.is_empty() {
        return refuse(
            "server.proxy_protocol",
            "it needs server.trusted_proxies, from whom alone it is taken".to_owned(),
        );
    }
    if server.ping_timeout_s <= server.ping_interval_s {
        return refuse(
            "server.ping_timeout_s",
            format!("it must be more than server.ping_interval_s, which is {}", server.ping_interval_s),
        );
    }
    if server.max_connections <= server.max_sessions {
        return refuse(
            "server.max_connections",
            format!("it must be more than server.max_sessions, which is {}", server.max_sessions),
        );
    }
    if server.transport_max_bytes < server.max_message_bytes {
        return refuse(
            "server.transport_max_bytes",
            format!("it must be at least server.max_message_bytes, which is {}", server.max_message_bytes),
        );
    }
    match (config.tls.certificate.as_str(), config.tls.key.as_str()) {
        ("", "") => {}
        ("", _) => return refuse("tls.key", "it needs a tls.certificate".to_owned()),
        (_, "") => return refuse("tls.certificate", "it needs a tls.key".to_owned()),
        _ => {}
    }
    let auth = &config.auth;
    for (key, text) in [("auth.jwt_audience", &auth.jwt_audience), ("auth.jwt_issuer", &auth.jwt_issuer)] {
        if !text.is_empty() && auth.jwt_key_file.is_empty() {
            return refuse(key, "it needs an auth.jwt_key_file, without which no token is taken".to_owned());
        }
    }
    let parts = &config.holistic.parts;
    if !parts.contains(&crate::Part::Pose) {
        return refuse(
            "holistic.parts",
            "hands and face are found through the pose; add \"pose\"".to_owned(),
        );
    }
    Ok(())
}
