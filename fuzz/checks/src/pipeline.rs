//! A pipeline file, and what clients set of its parameters: `FILE \0 NAME=VALUE \0 NAME=VALUE ...`. Nothing is built.

use std::collections::BTreeMap;
use std::path::Path;

use dactyl::pipeline::{ParameterKind, PipelineFile};

use crate::{assert_line, assert_told};

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"description = 'x'\n",
    b"launch = ",
    b"\"\"\"\n",
    b"'''\r\n",
    b"\"",
    b"'",
    b"\\n",
    b"\\\n",
    b"{a}",
    b"{",
    b"}",
    b"{ RGB, BGR }",
    b"[parameters.a]\n",
    b"[parameters.\"b c\"]\n",
    b"type = 'integer'\n",
    b"type = 'number'\n",
    b"type = 'switch'\n",
    b"type = 'text'\n",
    b"type = 'choice'\n",
    b"default = 1\n",
    b"default = 'x'\n",
    b"default = 1e300\n",
    b"minimum = 0\n",
    b"maximum = nan\n",
    b"values = ['x', 'y']\n",
    b"values = ['\"']\n",
    b"client = true\n",
    b"\0a=",
    b"\0a=1",
    b"\0a=x",
    b"\0a=\" ! filesink",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    let parameter = |rest: &str| {
        let launch = "launch = \"\"\"\nappsrc name=frames ! a b={a}\n  ! appsink\n\"\"\"";
        format!("description = 'x'\n{launch}\n[parameters.a]\ndescription = 'y'\nclient = true\n{rest}")
    };
    let mut seeds = vec![
        include_str!("../../../pipelines/recognise.toml").to_owned(),
        include_str!("../../../pipelines/twice-smoothed.toml").to_owned(),
        include_str!("../../../pipelines/record.toml").to_owned(),
        "parameters = {a = {description = '', type = 'switch', default = true}}\n\
         description = 'x'\nlaunch = \"a b={a}\\n{b}\""
            .to_owned(),
    ];
    seeds.extend(
        [
            "type = 'integer'\ndefault = 7\nminimum = 0\nmaximum = 10\n\0a=9",
            "type = 'number'\ndefault = 0.5\nminimum = -1\n\0a=1e9",
            "type = 'switch'\ndefault = false\n\0a=true",
            "type = 'text'\ndefault = 'b c'\n\0a=\u{e4} ! {a}",
            "type = 'choice'\ndefault = 'x'\nvalues = ['x', 'y z']\n\0a=y z",
            "type = 'choice'\ndefault = 'x'\nvalues = ['x', '\"']\n",
        ]
        .map(parameter),
    );
    seeds.into_iter().map(String::into_bytes).collect()
}

/// Checks one file with values. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.split('\0');
    let text = parts.next().unwrap_or_default();
    let file = match PipelineFile::parse("fuzz", Path::new("fuzz.toml"), text) {
        Ok(file) => file,
        Err(error) => {
            assert_told(&error.cause);
            if let Some(line) = error.line {
                assert_line(line, text);
            }
            return false;
        }
    };
    let launch = |given: &BTreeMap<String, String>| file.launch_text(given);
    launch(&BTreeMap::new()).expect("the defaults make a pipeline");
    for (name, parameter) in file.parameters.iter().filter(|(_, parameter)| parameter.client) {
        let given = |written: &str| BTreeMap::from([(name.clone(), written.to_owned())]);
        let default = parameter.default.as_str().map_or_else(|| parameter.default.to_string(), str::to_owned);
        launch(&given(&default)).expect("a client may set the default");
        if parameter.kind == ParameterKind::Choice {
            for value in &parameter.values {
                launch(&given(value)).expect("a client may choose each of the values");
            }
        }
        assert!(
            launch(&given("\" ! filesink location=\"x")).is_err(),
            "a value that goes beyond its quotes is accepted for {name}"
        );
    }
    let given = parts.filter_map(|part| part.split_once('='));
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Err(cause) = launch(&given) {
        assert_told(&cause);
    }
    true
}
