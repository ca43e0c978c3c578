//! `dactyl config`: the parameters in force.

use std::process::ExitCode;

use anyhow::Result;
use dactyl_config::{KEYS, Loaded, default_toml};

use crate::cli::ShowConfig;
use crate::exit::print;

pub(super) fn run(arguments: &ShowConfig) -> Result<ExitCode> {
    let text = if arguments.defaults {
        default_toml()
    } else {
        describe(&arguments.layers.load(&arguments.overrides)?)
    };
    print(format_args!("{}", text.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}

/// A configuration file of the values in force, each with its origin as a comment; last what sets nothing.
fn describe(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut current = "";
    for key in KEYS.iter() {
        let Some(value) = loaded.value(key) else { continue };
        let (section, name) = key.section_and_name();
        if section != current {
            let gap = if current.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{section}]\n"));
            current = section;
        }
        text.push_str(&format!("{name} = {value}  # {}\n", loaded.origin(key.path)));
    }
    for misspelt in &loaded.misspelt {
        text.push_str(&format!("\n# WARNING: {misspelt}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use dactyl_config::{Config, Loader};

    use super::*;

    #[test]
    fn what_is_printed_is_a_configuration_file_of_the_same_values() {
        let loaded = Loader::new()
            .flag("--set", "server.allowed_origins", "https://a.example,https://b.example")
            .flag("--set", "log.level", "info,a::b=debug # \"quoted\"")
            .load()
            .unwrap();
        let read: Config = toml::from_str(&describe(&loaded)).unwrap();
        assert_eq!(read, loaded.config);
    }
}
