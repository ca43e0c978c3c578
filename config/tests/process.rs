//! The configuration that a process finds by itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

/// Run once more, in a process of its own, by the next test.
#[test]
fn a_process_that_installed_nothing_has_a_configuration() {
    dactyl_config::try_process().unwrap();
}

/// Set by a template whose variable is empty, as `DACTYL_CONFIG=${CONFIG:-}` is in a compose file.
#[test]
fn an_empty_dactyl_config_names_no_file() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_installed_nothing_has_a_configuration"])
        .env("DACTYL_CONFIG", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_variable_that_is_not_utf8_does_not_abort_the_process() {
    let not_text = OsStr::from_bytes(b"\xff");
    for name in [OsStr::new("X"), OsStr::new("DACTYL_HOME"), not_text] {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_process_that_installed_nothing_has_a_configuration"])
            .env(name, not_text)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", name.display());
    }
}
