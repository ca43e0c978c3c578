//! The READMEs and the pages of `docs/` against the program: every table is complete, every link leads somewhere, every pipeline builds.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dactyl::pipeline::PipelineFile;
use dactyl::protocol::{Close, ErrorCode, Extras, SUBPROTOCOL, VERSION};
use gst::prelude::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The cells of every row of the table under that heading's first cell.
fn table(text: &str, first_cell: &str) -> Vec<Vec<String>> {
    let head = format!("| {first_cell} |");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&head)).skip(2).peekable();
    assert!(lines.peek().is_some(), "no table {head}");
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            // A bar inside of a cell is written \|.
            let cells = line.trim_matches('|').replace("\\|", "\u{1}");
            cells.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
        })
        .collect()
}

/// The first code span of a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_else(|| panic!("no code in {cell:?}"))
}

fn first_column(text: &str, first_cell: &str) -> Vec<String> {
    table(text, first_cell).iter().map(|row| code(&row[0]).to_owned()).collect()
}

/// The contents of the fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_file_of_configuration_that_is_shown_is_accepted() {
    let documents = documents();
    let shown: Vec<&str> = ["docs/operating.md", "docs/configuration.md", "docs/pipelines.md"]
        .iter()
        .flat_map(|name| blocks(&documents[Path::new(name)], "toml"))
        .filter(|block| !block.contains("launch ="))
        .collect();
    assert!(shown.len() >= 3);
    for text in shown {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let loaded = dactyl_config::Loader::new().file(file.path()).load();
        assert!(loaded.is_ok(), "{text}\n{}", loaded.unwrap_err());
    }
}

#[test]
fn every_element_and_every_pipeline_is_listed() {
    dactyl::register_elements().unwrap();
    let elements: BTreeSet<String> = gst::Registry::get()
        .features_by_plugin("dactyl")
        .iter()
        .map(|feature| feature.name().to_string())
        .collect();
    assert!(!elements.is_empty());
    let listed = first_column(&page("README.md"), "element");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), elements);

    let pipelines: BTreeSet<String> = fs::read_dir(repository().join("pipelines"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let listed = first_column(&page("docs/pipelines.md"), "pipeline");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), pipelines);
}

/// The example is built as the server builds it, and its mistake is found in the line that is shown.
#[test]
fn the_model_card_names_the_runtime_that_is_fetched() {
    let weights = repository().join("models/weights");
    let card = fs::read_to_string(weights.join("README.md")).unwrap();
    let manifest: toml::Table =
        toml::from_str(&fs::read_to_string(weights.join("manifest.toml")).unwrap()).unwrap();
    let archives = manifest["archive"].as_array().unwrap();
    let runtime = archives.iter().find(|archive| archive["package"].as_str() == Some("onnxruntime")).unwrap();
    let version = runtime["version"].as_str().unwrap();
    assert!(card.contains(&format!("ONNX Runtime {version},")), "the card's time is not of {version}");
}

#[test]
fn the_pipeline_that_is_shown_builds_and_its_mistake_is_named_as_shown() {
    dactyl::register_elements().unwrap();
    let pipelines = page("docs/pipelines.md");
    let path = Path::new("pipelines/calm.toml");
    let examples: Vec<&str> =
        blocks(&pipelines, "toml").into_iter().filter(|block| block.contains("launch =")).collect();
    let [example] = examples.as_slice() else { panic!("{} pipelines are shown", examples.len()) };
    let file = PipelineFile::parse("calm", path, example).unwrap();
    let given = BTreeMap::from([("history".to_owned(), "15".to_owned())]);
    assert!(pipelines.contains("?pipeline=calm&history=15"));
    let built = file.build(&given).unwrap();
    let is_smoother = |element: &gst::Element| {
        element.factory().is_some_and(|factory| factory.name() == "temporal-smoother")
    };
    let smoother = built.pipeline.iterate_elements().into_iter().flatten().find(is_smoother);
    assert_eq!(smoother.unwrap().property::<u32>("history"), 15);

    let broken = example.replace("temporal-smoother", "temporal-smother");
    let error = PipelineFile::parse("calm", path, &broken).unwrap().build(&BTreeMap::new()).unwrap_err();
    assert!(pipelines.contains(&format!("  WRONG  {error}. ")), "{error}");
}

#[test]
fn the_protocol_is_listed() {
    let protocol = page("docs/protocol.md");
    let codes = ErrorCode::ALL.map(|code| code.as_str().to_owned());
    assert_eq!(first_column(&protocol, "code"), codes);
    let closes: Vec<u16> = table(&protocol, "close code").iter().map(|row| row[0].parse().unwrap()).collect();
    let mut expected: Vec<u16> = Close::ALL.iter().map(|close| close.code()).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(closes, expected);
    let extras: BTreeSet<String> = first_column(&protocol, "extra").into_iter().collect();
    assert_eq!(extras, Extras::NAMES.map(str::to_owned).into());
    assert!(protocol.contains(&format!("(version {VERSION}; the subprotocol `{SUBPROTOCOL}` ")));
}

/// What stands under "Commands:" in a help.
fn subcommands(of: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_dactyl")).args(of).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_is_listed() {
    let listed = first_column(&page("docs/operating.md"), "command");
    let mut commands = subcommands(&[]);
    assert!(commands.len() >= 5, "{commands:?}");
    commands.retain(|name| name != "models");
    commands.extend(subcommands(&["models"]).iter().map(|name| format!("models {name}")));
    let found: BTreeSet<&String> = commands
        .iter()
        .filter(|name| {
            let start = format!("dactyl {name}");
            listed.iter().any(|row| row.strip_prefix(&start).is_some_and(|rest| !rest.starts_with('-')))
        })
        .collect();
    assert_eq!(found, commands.iter().collect());
    assert_eq!(listed.len(), commands.len(), "{listed:?}");
}

/// Every Markdown file of the source, with its path from the repository's root.
fn documents() -> BTreeMap<PathBuf, String> {
    let root = repository();
    let mut folders = vec![root.clone()];
    let mut documents = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // What is built and what is fetched is not the source's.
            if path.is_dir() && !path.is_symlink() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                documents.insert(path.strip_prefix(&root).unwrap().to_owned(), text);
            }
        }
    }
    documents
}

/// A document without its fenced blocks and code spans: what is shown there is no link.
fn prose(text: &str) -> String {
    let unfenced: Vec<&str> = text.split("```").step_by(2).collect();
    unfenced.concat().split('`').step_by(2).collect()
}

fn links(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(str::to_owned)
        .collect()
}

/// Names of a document's headings as they stand in a link.
fn anchors(text: &str) -> BTreeSet<String> {
    let unfenced: String = text.split("```").step_by(2).collect();
    let headings = unfenced.lines().filter(|line| line.starts_with('#'));
    let plain = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(plain).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, text) in &documents {
        for link in links(text) {
            if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let target = if file.is_empty() {
                repository().join(path)
            } else {
                repository().join(path).parent().unwrap().join(file)
            };
            let leads = match anchor {
                _ if !target.exists() => false,
                None => true,
                Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 20, "only {count} links in {:?}", documents.keys());
    assert!(broken.is_empty(), "{broken:#?}");
}
