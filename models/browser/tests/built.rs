//! Whether the WebAssembly that the server hands out was built from what lies here.
//!
//! Compilers differ from machine to machine, so no bytes are compared: `scripts/tracker-wasm.sh` writes down a hash of the
//! sources, of the versions of what they depend on, and of itself, whenever it builds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

const RECORD: &str = "models/browser/built.sha256";
/// What decides on the files, but for the dependencies. Folders are taken with all that lies in them.
const SOURCES: [&str; 8] = [
    "models/browser/Cargo.toml",
    "models/browser/src",
    "models/holistic/Cargo.toml",
    "models/holistic/src",
    "models/kernels/Cargo.toml",
    "models/kernels/src",
    "rust-toolchain.toml",
    "scripts/tracker-wasm.sh",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files below a path, but tests, in the order of their names.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.retain(|entry| entry.file_stem().is_some_and(|name| name != "tests"));
    entries.iter().flat_map(|entry| files(entry)).collect()
}

/// Names, versions and hashes of the packages that the crate depends on, as the lock file has them.
fn dependencies() -> BTreeSet<String> {
    let lock: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
    let packages = lock["package"].as_array().unwrap();
    let text = |package: &toml::Value, key: &str| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut found = BTreeSet::new();
    // A dependency is a name, and a version where there are several.
    let mut wanted = vec!["dactyl-browser".to_owned()];
    while let Some(next) = wanted.pop() {
        let (name, version) = next.split_once(' ').unwrap_or((&next, ""));
        for package in packages {
            let is_it =
                text(package, "name") == name && (version.is_empty() || text(package, "version") == version);
            let line = ["name", "version", "checksum"].map(|key| text(package, key)).join(" ");
            // Those of tests are in the lock file too.
            if is_it && !name.ends_with("-tests") && found.insert(line) {
                let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
                wanted.extend(
                    dependencies.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)),
                );
            }
        }
    }
    found
}

fn hash() -> String {
    let mut hash = Sha256::new();
    for source in SOURCES.iter().flat_map(|source| files(&root().join(source))) {
        hash.update(fs::read(source).unwrap());
    }
    for dependency in dependencies() {
        hash.update(dependency);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_webassembly_is_built_from_these_sources() {
    let (path, found) = (root().join(RECORD), hash());
    if std::env::var_os("DACTYL_RECORD").is_some() {
        fs::write(&path, format!("{found}\n")).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        recorded.trim(),
        "server/web/tracker.wasm was built from other sources: run scripts/tracker-wasm.sh"
    );
}

#[test]
fn the_webassembly_is_small_and_names_no_folder_of_a_machine() {
    for name in ["tracker", "tracker-plain"] {
        let file = fs::read(root().join(format!("server/web/{name}.wasm"))).unwrap();
        assert!(file.starts_with(b"\0asm"), "{name}");
        assert!(file.len() < 300_000, "{name} has {} bytes", file.len());
        let text = String::from_utf8_lossy(&file);
        for folder in ["/home/", "/root/", "/.cargo/", "crates.io"] {
            assert!(!text.contains(folder), "{name} names {folder}");
        }
    }
}
