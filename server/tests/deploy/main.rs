//! What `deploy/` holds against the program that it deploys: configurations, manifests, dashboard and alerts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod kubernetes;
mod monitoring;
mod packages;

use std::fs;
use std::path::{Path, PathBuf};

use dactyl_config::Config;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The configuration of a file with that text.
fn configuration(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    match dactyl_config::Loader::new().file(file.path()).load() {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{text}\n{error}"),
    }
}

/// Seconds after SIGTERM at which a server of that configuration has ended.
fn longest_end(config: &Config) -> u64 {
    let server = &config.server;
    let drain = match server.drain_timeout_s {
        0 => u64::from(server.drain_notice_ms + server.drain_ms).div_ceil(1000),
        seconds => u64::from(seconds),
    };
    drain + u64::from(server.shutdown_timeout_ms).div_ceil(1000)
}
