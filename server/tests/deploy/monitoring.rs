//! The dashboard and the alerts against the metrics that a server serves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{repository, text};

type Labels = BTreeMap<String, String>;

/// Labels that Prometheus adds to every series, or Kubernetes' operator.
const OF_SCRAPES: [&str; 3] = ["job", "instance", "namespace"];

/// Every series of a server that has just started, by its name.
fn served() -> BTreeMap<String, Vec<Labels>> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_dactyl"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split('/').nth(2).unwrap_or_default();
    let mut answer = String::new();
    if let Ok(mut socket) = TcpStream::connect(address) {
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        socket.read_to_string(&mut answer).unwrap();
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let mut series: BTreeMap<String, Vec<Labels>> = BTreeMap::from([("up".to_owned(), vec![Labels::new()])]);
    for line in answer.lines().filter(|line| line.starts_with("dactyl_")) {
        let (name, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
        let labels = labels.map(|(label, value)| (label.to_owned(), value.trim_matches('"').to_owned()));
        series.entry(name.to_owned()).or_default().push(labels.collect());
    }
    assert!(series.len() > 20, "{answer}");
    series
}

/// A metric in an expression, and what is asked of its labels.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    name: String,
    matchers: Vec<(String, String)>,
}

/// Metrics of an expression in Prometheus' language: names that begin with `dactyl_`, and `up`.
fn references(expression: &str) -> Vec<Reference> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = expression;
    let mut references = Vec::new();
    while let Some(start) = rest.find(is_of_name) {
        let word = &rest[start..];
        let end = word.find(|c| !is_of_name(c)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        rest = after;
        if !(name.starts_with("dactyl_") || name == "up") {
            continue;
        }
        let mut matchers = Vec::new();
        if let Some(inner) = after.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').unwrap();
            for matcher in inner.split(", ") {
                let (label, value) = matcher.split_once('=').unwrap();
                matchers.push((label.to_owned(), value.trim_matches(['~', '"']).to_owned()));
            }
            rest = after;
        }
        references.push(Reference { name: name.to_owned(), matchers });
    }
    references
}

/// Labels by which an expression puts series together.
fn groupings(expression: &str) -> Vec<String> {
    ["by (", "without ("]
        .iter()
        .flat_map(|word| expression.split(word).skip(1))
        .flat_map(|rest| rest.split(')').next().unwrap().split(", "))
        .map(str::to_owned)
        .collect()
}

/// What an expression asks for and no server has.
fn unknown(expression: &str, served: &BTreeMap<String, Vec<Labels>>) -> Vec<String> {
    let mut unknown = Vec::new();
    let references = references(expression);
    let mut all: Vec<&Labels> = Vec::new();
    for Reference { name, matchers } in &references {
        let Some(series) = served.get(name) else {
            unknown.push(name.clone());
            continue;
        };
        all.extend(series);
        for (label, values) in matchers.iter().filter(|(label, _)| !OF_SCRAPES.contains(&label.as_str())) {
            for value in values.split('|') {
                if !series.iter().any(|labels| labels.get(label).is_some_and(|of| of == value)) {
                    unknown.push(format!("{name}{{{label}={value:?}}}"));
                }
            }
        }
    }
    let grouped = groupings(expression).into_iter();
    unknown.extend(grouped.filter(|label| !all.iter().any(|labels| labels.contains_key(label))));
    unknown
}

fn dashboard() -> Value {
    serde_json::from_str(&text("deploy/grafana/dactyl.json")).unwrap()
}

/// What the dashboard asks for to fill the lists that a panel is chosen by.
fn of_the_lists() -> Vec<String> {
    let dashboard = dashboard();
    let lists = dashboard["templating"]["list"].as_array().unwrap().iter();
    let asked =
        lists.filter_map(|list| list["query"]["query"].as_str().map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(asked.len(), 2);
    asked
}

/// The expressions of the dashboard's panels.
fn of_the_dashboard() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The alerts with their expressions.
fn alerts() -> BTreeMap<String, String> {
    let rules: Value = serde_saphyr::from_str(&text("deploy/prometheus/alerts.yaml")).unwrap();
    let of = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    rules.iter().map(|rule| (of(rule, "alert"), of(rule, "expr"))).collect()
}

/// What KEDA and Kubernetes scale by.
fn of_scalers() -> [String; 2] {
    let read = |path: &str| -> Value { serde_saphyr::from_str(&text(path)).unwrap() };
    let core = read("deploy/kubernetes/autoscaler.yaml");
    let keda = read("deploy/kubernetes/optional/scaled-object.yaml");
    [&core["spec"]["metrics"][0]["pods"]["metric"]["name"], &keda["spec"]["triggers"][0]["metadata"]["query"]]
        .map(|expression| expression.as_str().unwrap().to_owned())
}

#[test]
fn dashboard_alerts_and_scalers_ask_for_what_a_server_serves() {
    let served = served();
    let dashboard = of_the_dashboard();
    let others = alerts().into_values().chain(of_scalers()).chain(of_the_lists());
    for expression in dashboard.iter().cloned().chain(others) {
        assert!(!references(&expression).is_empty(), "{expression}");
        assert_eq!(unknown(&expression, &served), [""; 0], "{expression}");
    }
    let family = |name: &str| {
        let suffix = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        suffix.unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<String> =
        dashboard.iter().flat_map(|expression| references(expression)).map(|of| family(&of.name)).collect();
    let families: BTreeSet<String> = served.keys().map(|name| family(name)).collect();
    assert_eq!(shown, families, "the dashboard shows every metric");
}

#[test]
fn a_misspelt_metric_label_or_value_of_an_expression_is_found() {
    let series = Labels::from([("reason".to_owned(), "full".to_owned())]);
    let served = BTreeMap::from([("dactyl_refusals_total".to_owned(), vec![series])]);
    let of = |expression: &str| unknown(expression, &served);
    assert_eq!(of(r#"sum by (reason) (rate(dactyl_refusals_total{job=~"x", reason="full"}[5m]))"#), [""; 0]);
    assert_eq!(of("rate(dactyl_refusal_total[5m])"), ["dactyl_refusal_total"]);
    assert_eq!(
        of(r#"dactyl_refusals_total{reason=~"full|ful"}"#),
        [r#"dactyl_refusals_total{reason="ful"}"#]
    );
    assert_eq!(of(r#"dactyl_refusals_total{cause="full"}"#), [r#"dactyl_refusals_total{cause="full"}"#]);
    assert_eq!(of("sum without (cause) (dactyl_refusals_total)"), ["cause"]);
}

#[test]
fn every_alert_fires_when_it_should_and_the_page_says_what_to_do() {
    let alerts = alerts();
    let trial = text("deploy/prometheus/alerts.test.yaml");
    for name in alerts.keys() {
        assert!(trial.contains(&format!("alertname=\"{name}\"")), "{name} is not tried");
    }
    let page = text("docs/monitoring.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: BTreeSet<&str> =
        rows.map(|(name, _)| name).filter(|name| name.starts_with("Dactyl")).collect();
    assert_eq!(listed, alerts.keys().map(String::as_str).collect());

    promtool(&["check", "rules", "deploy/prometheus/alerts.yaml"]);
    promtool(&["test", "rules", "deploy/prometheus/alerts.test.yaml"]);
}

/// promtool knows files of rules alone, so that each expression of the dashboard becomes one.
#[test]
fn every_expression_of_the_dashboard_is_well_formed() {
    let record = |expression: &String| {
        // Grafana puts an interval there.
        json!({ "record": "shown", "expr": expression.replace("$__rate_interval", "1m") })
    };
    let rules: Vec<Value> = of_the_dashboard().iter().map(record).collect();
    let groups: Vec<Value> = rules
        .into_iter()
        .enumerate()
        .map(|(number, rule)| json!({ "name": number.to_string(), "rules": [rule] }))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    // JSON is YAML.
    serde_json::to_writer(file.as_file(), &json!({ "groups": groups })).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(repository()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
