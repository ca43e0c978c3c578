//! Writes what `cargo fuzz` begins with into a folder: `corpus/TARGET` with the seeds, `dictionaries/TARGET` with the words.

#![allow(clippy::expect_used, reason = "what cannot be written has nothing to report but that")]

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let folder = PathBuf::from(env::args_os().nth(1).expect("the folder is the first argument"));
    let dictionaries = folder.join("dictionaries");
    fs::create_dir_all(&dictionaries).expect("a folder");
    for target in dactyl_fuzz::TARGETS {
        let corpus = folder.join("corpus").join(target.name);
        fs::create_dir_all(&corpus).expect("a folder");
        for (index, seed) in (target.seeds)().iter().enumerate() {
            fs::write(corpus.join(format!("seed-{index}")), seed).expect("a seed");
        }
        let mut words = String::new();
        for word in target.words {
            let bytes: String = word.iter().map(|byte| format!("\\x{byte:02X}")).collect();
            writeln!(words, "\"{bytes}\"").expect("memory");
        }
        fs::write(dictionaries.join(target.name), words).expect("a dictionary");
    }
}
