//! The program as its users run it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::print_stdout, reason = "skips belong into the test's output")]

mod extract;
mod page;
mod privacy;

use std::path::{Path, PathBuf};

/// A folder of data that is not part of the repository. `None`, said on standard output, where it is absent and not demanded by
/// `DACTYL_REQUIRE_SHARED`.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("DACTYL_SHARED").map_or(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("DACTYL_REQUIRE_SHARED").is_none(),
        "DACTYL_REQUIRE_SHARED is set, but there is no {}",
        folder.display()
    );
    println!("skipped: no ../shared");
    None
}
