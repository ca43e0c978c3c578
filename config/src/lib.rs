//! Every parameter of Dactyl: defaults, meaning, range, and where a value came from.

mod keys;
mod loader;
mod lookup;
mod process;
mod schema;
mod web_origin;

pub use keys::{KEYS, Key, Values};
pub use loader::{ConfigError, Loaded, Loader, Origin};
pub use lookup::{Kind, NotFound, find, find_or_place};
pub use process::{install, install_loaded, process, try_process};
pub use schema::*;
pub use web_origin::WebOrigin;

/// The commented defaults, as shipped.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

impl Config {
    /// The values of [`DEFAULT_TOML`].
    #[expect(clippy::expect_used, reason = "the text is part of the program and a test reads it")]
    pub fn builtin() -> Self {
        toml::from_str(DEFAULT_TOML).expect("config/default.toml matches the schema")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_defaults_match_the_schema() {
        let config = Config::builtin();
        assert_eq!(config.letters.window, 32);
        assert_eq!(config.holistic.parts, [Part::Pose, Part::Hands, Part::Face]);
    }
}
