//! Who may open a session: whoever has a key of `auth.keys_file`, or a token (JWT) that `auth.jwt_key_file` proves; without
//! either file everybody.

mod credential;
mod keys;
mod tokens;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use dactyl_config::Config;
use jsonwebtoken::Algorithm;
use serde::Deserialize;

pub(crate) use self::credential::Credential;
use self::keys::Keys;
use self::tokens::Tokens;
use crate::places::Client;

/// What is told to a client that shows nothing.
const NEEDED: &str = "this server lets in who has a key: send it in the header \"Authorization: Bearer KEY\", as WebSocket \
                      subprotocol bearer.KEY beside dactyl.v1, or with ?key=KEY";
/// What is told to a client that shows something that is neither a key of the file nor a token.
const UNKNOWN: &str = "the key is not known here; ask whoever runs this server for one";

/// Who may open a session.
#[derive(Debug, Default, PartialEq)]
pub struct Auth {
    keys: Option<Keys>,
    tokens: Option<Tokens>,
}

/// What a client was let in with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Whose sessions count together; `None` if that is told by the address alone.
    holder: Option<Client>,
    allowance: Allowance,
    /// When it is not valid any more.
    pub(crate) ends: Option<SystemTime>,
}

/// What a key or a token allows; what it does not name is as the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowance {
    /// The only pipelines that its sessions may run; the first one unless they ask for another.
    #[serde(default)]
    pipelines: Vec<String>,
    /// Frames a second of all of its sessions together.
    max_fps: Option<NonZeroU32>,
    /// Sessions at the same time.
    max_sessions: Option<NonZeroU32>,
}

impl Auth {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    ///
    /// When a file cannot be found, read or used, or a key names a pipeline that there is not; with the key of the
    /// configuration and, in the file of keys, with the line.
    pub fn load(config: &Config) -> Result<Self> {
        let auth = &config.auth;
        let keys = (!auth.keys_file.is_empty()).then(|| Keys::load(config)).transpose();
        let tokens = (!auth.jwt_key_file.is_empty()).then(|| Tokens::load(auth)).transpose();
        Ok(Self { keys: keys.context("auth.keys_file")?, tokens: tokens.context("auth.jwt_key_file")? })
    }

    /// Whether anybody may come.
    fn is_open(&self) -> bool {
        self.keys.is_none() && self.tokens.is_none()
    }

    /// Whether what that client was let in with is not there any more. Tokens end by themselves.
    pub(crate) fn has_withdrawn(&self, client: &Client) -> bool {
        match client {
            Client::Key(name) => !self.is_open() && !self.keys.as_ref().is_some_and(|keys| keys.name(name)),
            Client::Subject(_) | Client::Address(_) => false,
        }
    }

    /// What a client may do that shows this.
    ///
    /// # Errors
    ///
    /// Why it may not come, for a person. Nothing of what it showed is in it.
    pub(crate) fn admit(&self, shown: Option<&Credential>) -> Result<Grant, &'static str> {
        if self.is_open() {
            return Ok(Grant::default());
        }
        let shown = shown.ok_or(NEEDED)?;
        if let Some(grant) = self.keys.as_ref().and_then(|keys| keys.find(shown)) {
            return Ok(grant);
        }
        match &self.tokens {
            Some(tokens) if shown.is_token() => tokens.check(shown),
            _ => Err(UNKNOWN),
        }
    }
}

/// What is wrong with a server that others reach and that lets anybody in, and the cure; `None` if that is not so.
pub fn exposure(config: &Config) -> Option<&'static str> {
    let host = config.server.listen.rsplit_once(':').map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let asks = !config.auth.keys_file.is_empty() || !config.auth.jwt_key_file.is_empty();
    (!is_loopback && !asks).then_some(
        "anybody who reaches server.listen may open sessions: set auth.keys_file or auth.jwt_key_file, unless a proxy in \
         front asks, or listen on 127.0.0.1",
    )
}

/// How many keys the text of a file holds, or what is wrong with it.
pub fn keys_in(text: &str) -> Result<usize, String> {
    let keys = Keys::parse(Path::new("keys.toml"), text, &["recognise"]);
    keys.map(|keys| keys.len()).map_err(|error| error.to_string())
}

/// Whether a token of HS256 with that secret would be taken.
pub fn is_taken(secret: &[u8], token: &str) -> bool {
    let tokens = Tokens::parse(secret.to_vec(), Algorithm::HS256, Path::new("secret"), "", "");
    let shown = Credential::from(token);
    tokens.is_ok_and(|tokens| shown.is_token() && tokens.check(&shown).is_ok())
}

impl Grant {
    /// Whose sessions count together, for a client of that address.
    pub(crate) fn client(&self, address: Option<IpAddr>) -> Option<Client> {
        self.holder.clone().or_else(|| address.map(Client::of))
    }

    /// The name of the key, for the log; tokens name people.
    pub(crate) fn key_name(&self) -> Option<&str> {
        match &self.holder {
            Some(Client::Key(name)) => Some(name),
            _ => None,
        }
    }

    /// The pipeline of sessions that ask for none, where `configured` is that of the configuration.
    pub(crate) fn pipeline<'a>(&'a self, configured: &'a str) -> &'a str {
        self.allowance.pipelines.first().map_or(configured, String::as_str)
    }

    /// Whether its sessions may run that pipeline, if the configuration allows it.
    pub(crate) fn permits(&self, pipeline: &str) -> bool {
        let pipelines = &self.allowance.pipelines;
        pipelines.is_empty() || pipelines.iter().any(|permitted| permitted == pipeline)
    }

    /// Frames a second of all of the client's sessions together; 0 means as many as each may send.
    pub(crate) fn max_fps(&self, configured: u32) -> u32 {
        self.allowance.max_fps.map_or(configured, NonZeroU32::get)
    }

    /// Sessions of the client at the same time; 0 means as many as there are.
    pub(crate) fn max_sessions(&self, configured: u32) -> u32 {
        self.allowance.max_sessions.map_or(configured, NonZeroU32::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_others_reach_and_that_lets_anybody_in_is_told() {
        let exposed = |listen: &str, keys_file: &str| {
            let mut config = Config::builtin();
            config.server.listen = listen.to_owned();
            config.auth.keys_file = keys_file.to_owned();
            exposure(&config).is_some()
        };
        for listen in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.0.0.11:0"] {
            assert!(!exposed(listen, ""), "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "10.0.0.7:8080", "learn.example.org:8080"] {
            assert!(exposed(listen, ""), "{listen}");
            assert!(!exposed(listen, "keys.toml"), "{listen}");
        }
    }

    #[test]
    fn what_a_key_does_not_name_is_as_configured() {
        let grant = Grant::default();
        assert_eq!(
            (grant.max_fps(7), grant.max_sessions(8), grant.pipeline("recognise")),
            (7, 8, "recognise")
        );
        assert!(grant.permits("anything"));
        let allowance = Allowance {
            pipelines: vec!["landmarks".to_owned(), "calm".to_owned()],
            max_fps: NonZeroU32::new(15),
            max_sessions: NonZeroU32::new(2),
        };
        let grant = Grant { allowance, ..Grant::default() };
        assert_eq!(
            (grant.max_fps(7), grant.max_sessions(0), grant.pipeline("recognise")),
            (15, 2, "landmarks")
        );
        assert!(grant.permits("calm") && !grant.permits("recognise"));
    }
}
