//! Every parameter of Dactyl: defaults, meaning, range, and where a value came from.

mod schema;

pub use schema::*;

/// The commented defaults, as shipped.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");
