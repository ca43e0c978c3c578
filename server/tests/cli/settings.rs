//! Help, configuration layers, and what is refused before anything starts.

use std::fs;
use std::path::Path;

use super::{Dir, dactyl, run};

/// The help of a command is the operator's manual; a change of it is meant or a mistake.
#[test]
fn every_command_explains_itself() {
    for (name, command) in [
        ("dactyl", &[][..]),
        ("serve", &["serve"]),
        ("send", &["send"]),
        ("check", &["check"]),
        ("config", &["config"]),
        ("models", &["models"]),
        ("models fetch", &["models", "fetch"]),
        ("models list", &["models", "list"]),
    ] {
        let (code, help, error) = run(dactyl(command).arg("--help"));
        assert_eq!((code, error.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(name.replace(' ', "_"), help);
    }
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_the_nearest_one() {
    let dir = Dir::new();
    let file = dir.file("mine.toml", "# mine\n[server]\nmax_sesions = 3\n");
    for command in ["config", "serve", "check"] {
        let (code, output, error) = run(dactyl([command, "--config"]).arg(&file));
        let said = format!("{output}{error}");
        let expected = format!(
            "{}:3: unknown key server.max_sesions; the nearest known key is server.max_sessions",
            file.display()
        );
        assert!(said.contains(&expected), "{command}: {said}");
        assert_eq!(code, if command == "check" { 1 } else { 2 }, "{command}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named_once() {
    let (code, _, error) = run(&mut dactyl(["config", "--config", "/nowhere/mine.toml"]));
    assert_eq!(code, 2);
    assert_eq!(
        error,
        "dactyl: /nowhere/mine.toml: the configuration file cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_flag_out_of_range_is_refused_with_the_range() {
    let (code, _, error) = run(&mut dactyl(["config", "--max-sessions", "0"]));
    assert_eq!(code, 2);
    assert!(error.contains("flag --max-sessions"), "{error}");
    assert!(error.contains("a whole number from 1 to 10000"), "{error}");
}

#[test]
fn an_unknown_key_of_set_is_refused_with_the_nearest_one() {
    let (code, _, error) = run(&mut dactyl(["config", "--set", "smoothing.histroy=1"]));
    assert_eq!(code, 2);
    assert!(error.contains("the nearest is smoothing.history"), "{error}");
}

#[test]
fn the_origin_of_every_layer_is_shown() {
    let dir = Dir::new();
    let first = dir.file("first.toml", "[server]\nmax_sessions = 3\nmax_fps = 30\n");
    let second = dir.file("second.toml", "\n[server]\nmax_fps = 31\n[smoothing]\nhistory = 9\n");
    let (code, output, error) =
        run(dactyl(["config", "--listen", "127.0.0.1:0", "--set", "log.format=json"])
            .arg("--config")
            .arg(&first)
            .arg("--config")
            .arg(&second)
            .env("DACTYL_SMOOTHING__HISTORY", "7"));
    assert_eq!((code, error.as_str()), (0, ""));
    for line in [
        format!("max_sessions = 3  # {}:2", first.display()),
        format!("max_fps = 31  # {}:3", second.display()),
        "history = 7  # environment variable DACTYL_SMOOTHING__HISTORY".to_owned(),
        "listen = \"127.0.0.1:0\"  # flag --listen".to_owned(),
        "format = \"json\"  # flag --set".to_owned(),
        "slots = 0  # built-in".to_owned(),
    ] {
        assert!(output.lines().any(|printed| printed == line), "no line {line:?} in\n{output}");
    }
}

/// A flag with a default of its own would overwrite what the file says.
#[test]
fn a_flag_that_is_not_given_leaves_the_files_value() {
    let dir = Dir::new();
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nmax_sessions = 2\n[pipeline]\nname = \"mine\"\ndirectory = \"d\"\n\
                [inference]\nslots = 3\n[models]\ndirectory = \"m\"\n[letters]\nmodel = \"l.onnx\"\n\
                [log]\nlevel = \"debug\"\nformat = \"json\"\n";
    let file = dir.file("mine.toml", text);
    let (_, output, _) = run(dactyl(["config", "--config"]).arg(&file));
    for line in text.lines().filter(|line| line.contains('=')) {
        let expected = format!("{line}  # {}:", file.display());
        assert!(
            output.lines().any(|printed| printed.starts_with(&expected)),
            "{expected} is not in\n{output}"
        );
    }
}

#[test]
fn the_variable_for_elements_names_the_file_of_the_commands_too() {
    let dir = Dir::new();
    let file = dir.file("mine.toml", "[smoothing]\nhistory = 9\n");
    let (_, output, _) = run(dactyl(["config"]).env("DACTYL_CONFIG", &file));
    assert!(output.contains(&format!("history = 9  # {}:2", file.display())), "{output}");
}

#[test]
fn an_empty_dactyl_config_names_no_file() {
    let (code, output, error) = run(dactyl(["config"]).env("DACTYL_CONFIG", ""));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.lines().any(|line| line == "history = 5  # built-in"), "{output}");
    let (code, _, error) = run(&mut dactyl(["config", "--config", ""]));
    assert_eq!(code, 2, "a flag without a file is a mistake: {error}");
}

#[test]
fn a_variable_with_one_underscore_is_warned_of() {
    let (code, output, error) = run(dactyl(["config"]).env("DACTYL_SERVER_LISTEN", "0.0.0.0:80"));
    assert_eq!((code, error.as_str()), (0, ""));
    let warning =
        "# WARNING: the environment variable DACTYL_SERVER_LISTEN sets nothing; write DACTYL_SERVER__LISTEN";
    assert_eq!(output.lines().last(), Some(warning));
}

#[test]
fn the_defaults_are_printed_as_they_are_shipped() {
    let (code, output, _) = run(&mut dactyl(["config", "--defaults"]));
    let shipped =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/default.toml")).unwrap();
    assert_eq!((code, output), (0, shipped));
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, _, error) = run(dactyl(["config"]).stdout(writer));
    assert_eq!((code, error.as_str()), (0, ""));
}

#[test]
fn a_misspelt_log_level_is_refused_with_its_origin() {
    let (code, _, error) = run(&mut dactyl(["serve", "--log-level", "inof"]));
    assert_eq!(code, 2);
    assert!(error.starts_with("dactyl: flag --log-level: log.level is refused: \"inof\" is not"), "{error}");
}
