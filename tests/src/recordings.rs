//! Recordings that are no part of the repository, since they show people or are large.

#![allow(clippy::print_stdout, reason = "skips belong into the test's output")]

use std::env;
use std::path::{Path, PathBuf};

/// A file or folder of the data beside the repository, or where `DACTYL_SHARED` says. `None`, said on standard output, where it is
/// absent.
///
/// # Panics
/// Where it is absent and `DACTYL_REQUIRE_SHARED` is set.
pub fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let path = env::var_os("DACTYL_SHARED").map_or(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        env::var_os("DACTYL_REQUIRE_SHARED").is_none(),
        "DACTYL_REQUIRE_SHARED is set, but there is no {}",
        path.display()
    );
    println!("skipped: no {name} in ../shared");
    None
}
