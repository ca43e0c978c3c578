//! Whether the WebAssembly that the server hands out was built from what lies here.
//!
//! Compilers differ from machine to machine, so it is not built anew and compared: `scripts/tracker-wasm.sh` writes down, whenever it
//! builds, a hash of the sources, profiles, dependencies and of itself, and the hashes of what it has built.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Compilers in a comment, then lines of `sha256sum`.
const RECORD: &str = "models/browser/built.sha256";
/// The crates that the WebAssembly is made of.
const CRATES: [&str; 3] = ["models/browser", "models/holistic", "models/kernels"];
/// What else decides on it, but for dependencies and profiles.
const SETTINGS: [&str; 2] = ["rust-toolchain.toml", "scripts/tracker-wasm.sh"];
const BUILT: [&str; 2] = ["server/web/tracker.wasm", "server/web/tracker-plain.wasm"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table(path: &str) -> toml::Table {
    toml::from_str(&String::from_utf8(read(path)).unwrap()).unwrap()
}

/// Files below a folder, but tests, in the order of their names.
fn files(folder: &str) -> Vec<String> {
    let mut entries: Vec<_> = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let below = |entry: &fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        match entry.file_type().unwrap().is_dir() {
            _ if matches!(name.as_str(), "tests" | "tests.rs") => Vec::new(),
            true => files(&path),
            false => vec![path],
        }
    };
    entries.iter().flat_map(below).collect()
}

/// Dependencies that the crates name themselves, but those of tests.
fn named() -> BTreeSet<String> {
    let tables = |manifest: toml::Table| {
        let of_targets = manifest.get("target").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let all: Vec<toml::Value> =
            of_targets.into_iter().map(|(_, target)| target).chain([manifest.into()]).collect();
        all.into_iter().filter_map(|table| table.get("dependencies")?.as_table().cloned())
    };
    let manifests = CRATES.iter().map(|name| table(&format!("{name}/Cargo.toml")));
    manifests.flat_map(tables).flat_map(|table| table.into_iter().map(|(name, _)| name)).collect()
}

/// Names, versions and hashes of all packages that those need, as the lock file has them.
fn locked(named: &BTreeSet<String>) -> BTreeSet<String> {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    let text = |package: &toml::Value, key: &str| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut found = BTreeSet::new();
    let mut wanted: Vec<String> = named.iter().filter(|name| !name.starts_with("dactyl-")).cloned().collect();
    while let Some(next) = wanted.pop() {
        // A name, and a version and a source where there are several.
        let mut words = next.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let is_it = |package: &&toml::Value| {
            text(package, "name") == name && version.is_none_or(|version| text(package, "version") == version)
        };
        let mut of_name = packages.iter().filter(is_it).peekable();
        assert!(of_name.peek().is_some(), "Cargo.lock lacks {next}");
        for package in of_name {
            if found.insert(["name", "version", "checksum"].map(|key| text(package, key)).join(" ")) {
                let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
                wanted.extend(
                    dependencies.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)),
                );
            }
        }
    }
    found
}

/// Everything that decides on the WebAssembly, but the compilers.
fn sources() -> String {
    let mut hash = Sha256::new();
    let mut add = |name: &str, content: &[u8]| {
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    };
    let of_crates = CRATES.iter().flat_map(|name| files(&format!("{name}/src")));
    let manifests = CRATES.iter().map(|name| format!("{name}/Cargo.toml"));
    for path in of_crates.chain(manifests).chain(SETTINGS.map(str::to_owned)) {
        add(&path, &read(&path));
    }
    let workspace = table("Cargo.toml");
    for profile in ["release", "browser"] {
        add(profile, workspace["profile"][profile].to_string().as_bytes());
    }
    let named = named();
    for name in &named {
        let settings = workspace["workspace"]["dependencies"].get(name).map(ToString::to_string);
        add(name, settings.unwrap_or_default().as_bytes());
    }
    for package in locked(&named) {
        add("locked", package.as_bytes());
    }
    hex(hash)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_webassembly_is_what_was_built_from_these_sources() {
    let of_file = |path: &str| format!("{}  {path}\n", hex(Sha256::new_with_prefix(read(path))));
    let found = format!("{}  sources\n{}", sources(), BUILT.map(of_file).concat());
    if let Ok(compilers) = std::env::var("DACTYL_RECORD") {
        fs::write(root().join(RECORD), format!("# {compilers}\n{found}")).unwrap();
    }
    let recorded = String::from_utf8(read(RECORD)).unwrap();
    let (_, recorded) = recorded.split_once('\n').unwrap();
    assert_eq!(found, recorded, "server/web/tracker*.wasm were built from other sources: run `make tracker`");
}

#[test]
fn the_webassembly_is_small_and_names_no_folder_of_a_machine() {
    for path in BUILT {
        let file = read(path);
        assert!(file.starts_with(b"\0asm"), "{path}");
        assert!(file.len() < 300_000, "{path} has {} bytes", file.len());
        let text = String::from_utf8_lossy(&file);
        for folder in ["/home/", "/root/", "/.cargo/", "/registry/", "index."] {
            assert!(!text.contains(folder), "{path} names {folder}");
        }
    }
}
