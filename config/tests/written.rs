//! The files that people read against the declarations of the keys.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use dactyl_config::{Config, KEYS, Loader};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_files_are_up_to_date() {
    let defaults = read("default.toml");
    assert!(defaults == dactyl_config::default_toml(), "config/default.toml is out of date: run `make keys`");
    let page = read("../docs/configuration.md");
    let wanted = dactyl_config::with_key_tables(&page).unwrap();
    assert!(page == wanted, "docs/configuration.md is out of date: run `make keys`");
}

#[test]
fn the_defaults_are_a_configuration_file_of_the_built_in_values() {
    let loaded =
        Loader::new().file(Path::new(env!("CARGO_MANIFEST_DIR")).join("default.toml")).load().unwrap();
    assert_eq!(loaded.config, Config::builtin());
    assert_eq!(loaded.config, toml::from_str(&read("default.toml")).unwrap());
}

#[test]
fn every_key_is_in_both_files_with_its_sentence() {
    let page = read("../docs/configuration.md");
    let defaults = read("default.toml");
    for key in KEYS.iter() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.path))).unwrap();
        assert!(row.contains(key.sentence()), "{row}");
        assert!(defaults.contains(&key.sentence().replace('`', "")), "{}", key.path);
    }
    assert_eq!(defaults.lines().find(|line| line.len() > 120), None);
}
