//! Every parameter of Dactyl: defaults, meaning, range, and where a value came from.

mod process;
mod schema;

pub use process::*;
pub use schema::*;

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
