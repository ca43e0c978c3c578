//! The file of keys: of each its name, its SHA-256, and what it allows.
//!
//! ```toml
//! [keys.school]
//! sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
//! pipelines = ["recognise"]   # optional
//! max_fps = 300               # optional
//! max_sessions = 20           # optional
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context, Result, bail};
use dactyl_config::{Config, Kind};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::credential::Credential;
use super::{Allowance, Grant};
use crate::pipeline::offered;
use crate::places::Client;

/// SHA-256 of a key. Keys are looked up by it: how long that takes tells nothing about a key.
type Hash = [u8; 32];

/// The keys of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys(HashMap<Hash, Grant>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    keys: BTreeMap<Spanned<String>, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sha256: String,
    #[serde(default)]
    pipelines: Vec<String>,
    max_fps: Option<NonZeroU32>,
    max_sessions: Option<NonZeroU32>,
}

impl Keys {
    /// Reads the file that the configuration names.
    pub(super) fn load(config: &Config) -> Result<Self> {
        let path = dactyl_config::find(&config.auth.keys_file, Kind::File)?;
        let text = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
        Self::parse(&path, &text, &offered(&config.pipeline))
    }

    /// Reads the text of a file. `pipelines` are those that there are.
    pub(super) fn parse(path: &Path, text: &str, pipelines: &[&str]) -> Result<Self> {
        let at = |offset: usize| {
            let line = text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
            format!("{}:{line}", path.display())
        };
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            // The error's own text shows the line, in which a key may stand by mistake.
            Err(error) => {
                bail!("{}: {}", at(error.span().map_or(0, |span| span.start)), without_texts(error.message()))
            }
        };
        let mut keys = HashMap::new();
        for (name, entry) in document.keys {
            let at = at(name.span().start);
            let name = name.into_inner();
            let Some(hash) = hash(&entry.sha256) else {
                bail!(
                    "{at}: keys.{name}: sha256 is not 64 hexadecimal digits; `printf %s KEY | sha256sum` prints them"
                );
            };
            if let Some(unknown) = entry.pipelines.iter().find(|named| !pipelines.contains(&named.as_str())) {
                bail!("{at}: keys.{name}: there is no pipeline {unknown:?}; add it to pipeline.allowed");
            }
            let Entry { pipelines, max_fps, max_sessions, .. } = entry;
            let allowance = Allowance { pipelines, max_fps, max_sessions };
            let grant = Grant { holder: Some(Client::Key(name.clone())), allowance, ends: None };
            if keys.insert(hash, grant).is_some() {
                bail!("{at}: keys.{name} is the same key as one before it; give each name a key of its own");
            }
        }
        if keys.is_empty() {
            bail!("{} holds no key; write [keys.NAME] with sha256 = \"...\"", path.display());
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a key of that name.
    pub(super) fn name(&self, name: &str) -> bool {
        self.0.values().any(|grant| grant.key_name() == Some(name))
    }

    pub(super) fn find(&self, shown: &Credential) -> Option<Grant> {
        self.0.get::<Hash>(&Sha256::digest(shown.as_str()).into()).cloned()
    }
}

/// A message without the texts that it quotes from the file.
fn without_texts(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!(
                "{}...{}",
                message.get(..first).unwrap_or_default(),
                message.get(last + 1..).unwrap_or_default()
            )
        }
        _ => message.to_owned(),
    }
}

/// The bytes of 64 hexadecimal digits.
fn hash(digits: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if digits.len() != 2 * hash.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `hello world`, as `printf %s 'hello world' | sha256sum` prints it.
    const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

    fn parse(text: &str) -> Result<Keys> {
        Keys::parse(Path::new("keys.toml"), text, &["recognise", "landmarks"])
    }

    #[test]
    fn a_key_is_known_by_the_hash_that_sha256sum_prints() {
        let text =
            format!("[keys.school]\nsha256 = \"{HELLO}\"\nmax_fps = 15\npipelines = [\"landmarks\"]\n");
        let keys = parse(&text).unwrap();
        let grant = keys.find(&Credential::from("hello world")).unwrap();
        assert_eq!(grant.key_name(), Some("school"));
        assert_eq!(
            (grant.max_fps(0), grant.max_sessions(3), grant.pipeline("recognise")),
            (15, 3, "landmarks")
        );
        for other in ["hello world ", "Hello world", "", HELLO] {
            assert_eq!(keys.find(&Credential::from(other)), None, "{other}");
        }
    }

    #[test]
    fn a_wrong_file_is_named_with_line_and_cure_and_without_what_may_be_a_key() {
        let with = |rest: &str| format!("[keys.a]\nsha256 = \"{HELLO}\"\n{rest}");
        for (text, told) in [
            (with("max_fps = 0\n"), "keys.toml:3: invalid value: integer `0`, expected a nonzero u32"),
            (with("maxfps = 3\n"), "keys.toml:3: unknown field `maxfps`"),
            (
                with("pipelines = [\"calm\"]\n"),
                "keys.toml:1: keys.a: there is no pipeline \"calm\"; add it to",
            ),
            (
                with(&with("").replace("keys.a", "keys.b")),
                "keys.toml:3: keys.b is the same key as one before",
            ),
            (
                "[keys.a]\nsha256 = \"secret\"\n".to_owned(),
                "keys.toml:1: keys.a: sha256 is not 64 hexadecimal",
            ),
            ("[keys.a]\nkey = \"secret\"\n".to_owned(), "keys.toml:2: unknown field `key`"),
            ("[keys]\nschool = \"secret\"\n".to_owned(), "keys.toml:2: invalid type: string ..., expected "),
            ("secret".to_owned(), "keys.toml:1: "),
            (String::new(), "keys.toml holds no key; write [keys.NAME]"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text}: {error}");
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
