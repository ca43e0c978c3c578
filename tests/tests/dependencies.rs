//! What the workspace takes from others: under licences that let Dactyl be given away as it is, and no crate twice in the
//! program that serves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq};

/// Licences that ask for no more than to be named. MPL-2.0 asks for the source of its own files alone, which is public.
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "IJG",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates of which the program holds two versions, because others that it uses have not moved to the newer one.
const TWICE: [&str; 9] = [
    "base64",
    "block-buffer",
    "cpufeatures",
    "crypto-common",
    "digest",
    "getrandom",
    "hashbrown",
    "rand_core",
    "thiserror",
];

fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).args(["--locked", "--offline"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn is_allowed(licence: &LicenseReq) -> bool {
    licence.license.id().is_some_and(|id| LICENCES.contains(&id.name))
}

#[test]
fn every_crate_may_be_given_away() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} crates", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| {
            // Older crates write a slash for "or".
            let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
            !Expression::parse(&licence).is_ok_and(|expression| expression.evaluate(is_allowed))
        })
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "use another crate, or add a licence that asks for no more: {refused:#?}");
}

#[test]
fn no_crate_is_in_the_program_twice() {
    let edges = "normal,no-proc-macro";
    let tree = cargo(&["tree", "--package", "dactyl", "--edges", edges, "--prefix", "none", "--no-dedupe"]);
    let mut crates: Vec<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, version)| (name, version.split(' ').next().unwrap_or(version)))
        .collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.len() > 50, "{} crates", crates.len());
    let twice: Vec<_> = crates
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0 && !TWICE.contains(&pair[0].0))
        .map(|pair| format!("{} {} and {}", pair[0].0, pair[0].1, pair[1].1))
        .collect();
    assert!(twice.is_empty(), "bring the users of each to one version, or list it in TWICE: {twice:#?}");
}
