//! Every parameter of Dactyl: defaults, meaning, range, and where a value came from.

mod declaration;
pub mod keys;
mod loader;
mod lookup;
pub mod natural_order;
mod network;
mod process;
mod web_origin;
mod written;

pub use declaration::{Choice, Declaration, Key, Setting, Values};
pub use keys::{
    Admin, Auth, Config, Features, Feedback, Holistic, Inference, JwtAlgorithm, KEYS, Letters, Log,
    LogFormat, Models, Output, Part, PayloadFormat, Pipeline, Profile, Server, Smoothing, ThrottleClock, Tls,
    TrackerClock,
};
pub use loader::{ConfigError, Loaded, Loader, Misspelt, Origin};
pub use lookup::{Kind, NotFound, find, find_or_place};
pub use network::network;
pub use process::{file_of_environment, install, install_loaded, process, take_misspelt, try_process};
pub use web_origin::WebOrigin;
pub use written::{default_toml, with_key_tables};
