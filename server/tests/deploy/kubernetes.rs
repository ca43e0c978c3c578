//! The manifests of `deploy/kubernetes`: core kinds against Kubernetes' own schemas, and what they say of each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::{configuration, longest_end, repository, text};

/// The oldest version that has all that is used, and the newest that there are schemas of.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];
/// What a cluster has only with an operator, whose schemas nobody has here.
const OF_OPERATORS: [&str; 2] = ["service-monitor.yaml", "scaled-object.yaml"];

fn manifests(folder: &str) -> BTreeSet<String> {
    fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
        .collect()
}

/// The objects of a file.
fn objects(path: &str) -> Vec<Value> {
    text(path).split("\n---\n").map(|object| serde_saphyr::from_str(object).unwrap()).collect()
}

fn object(path: &str) -> Value {
    let mut objects = objects(path);
    assert_eq!(objects.len(), 1, "{path}");
    objects.remove(0)
}

/// What the strict schemas of every version say against these files.
fn faults(files: &[PathBuf]) -> Result<(), String> {
    let validator = repository().join(".cache/test/kubernetes-validate");
    assert!(validator.is_dir(), "kubernetes-validate is there (make test fetches it)");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", validator).args(["-m", "kubernetes_validate", "--strict"]);
    for version in VERSIONS {
        command.args(["-k", version]);
    }
    let output = command.args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    for (file, version) in files.iter().flat_map(|file| VERSIONS.map(|version| (file, version))) {
        let is_of_both = |line: &str| {
            line.contains(file.to_str().unwrap()) && line.contains(&format!("against version {version}"))
        };
        assert!(said.lines().any(is_of_both), "{} was not looked at: {said}", file.display());
    }
    if output.status.success() { Ok(()) } else { Err(said.into_owned()) }
}

#[test]
fn every_core_kind_is_valid() {
    let core = manifests("deploy/kubernetes").into_iter().map(|name| format!("deploy/kubernetes/{name}"));
    let optional = manifests("deploy/kubernetes/optional")
        .into_iter()
        .filter(|name| !OF_OPERATORS.contains(&name.as_str()))
        .map(|name| format!("deploy/kubernetes/optional/{name}"));
    let files: Vec<PathBuf> = core.chain(optional).map(|file| repository().join(file)).collect();
    assert!(files.len() >= 7, "{files:?}");
    assert_eq!(faults(&files), Ok(()));
}

#[test]
fn a_misspelt_field_is_no_valid_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deployment.yaml");
    let misspelt =
        text("deploy/kubernetes/deployment.yaml").replace("enableServiceLinks", "enableServiceLink");
    fs::write(&file, misspelt).unwrap();
    let said = faults(&[file]).unwrap_err();
    assert!(said.contains("'enableServiceLink' was unexpected"), "{said}");
}

#[test]
fn the_kustomization_names_every_manifest() {
    let kustomization = object("deploy/kubernetes/kustomization.yaml");
    let named = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named(&kustomization["resources"]), manifests("deploy/kubernetes"));
    assert_eq!(named(&kustomization["configMapGenerator"][0]["files"]), ["dactyl.toml".to_owned()].into());
    let image = &kustomization["images"][0];
    let image = format!("{}:{}", image["name"].as_str().unwrap(), image["newTag"].as_str().unwrap());
    assert_eq!(pod()["containers"][0]["image"], image);
    assert_eq!(image, format!("dactyl:{}", env!("CARGO_PKG_VERSION")));
}

/// What the deployment says of a pod.
fn pod() -> Value {
    object("deploy/kubernetes/deployment.yaml")["spec"]["template"]["spec"].take()
}

#[test]
fn a_pod_is_given_the_time_that_its_drain_takes() {
    let config = configuration(&text("deploy/kubernetes/dactyl.toml"));
    let pod = pod();
    let before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(before > 0 && config.server.drain_ms > 0);
    assert!(patience > before + longest_end(&config), "{patience} s");
}

/// The labels of an object and those that another one selects.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn ports_and_labels_lead_from_one_object_to_the_next() {
    let config = configuration(&text("deploy/kubernetes/dactyl.toml"));
    let deployment = object("deploy/kubernetes/deployment.yaml");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let port = |name: &str| {
        let ports = container["ports"].as_array().unwrap();
        ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].as_u64().unwrap()
    };
    assert!(config.server.listen.ends_with(&format!(":{}", port("http"))));
    assert!(config.admin.listen.ends_with(&format!(":{}", port("admin"))));
    for (probe, path) in
        [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({ "path": path, "port": "admin" }));
    }

    let services = objects("deploy/kubernetes/services.yaml");
    let [learners, admin] = services.as_slice() else { panic!("{} services", services.len()) };
    for (service, port) in [(learners, "http"), (admin, "admin")] {
        assert!(selects(&service["spec"]["selector"], labels));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], port);
    }
    let budget = object("deploy/kubernetes/disruption-budget.yaml");
    let policy = object("deploy/kubernetes/network-policy.yaml");
    let selectors = [
        &deployment["spec"]["selector"],
        &budget["spec"]["selector"],
        &policy["spec"]["podSelector"],
        &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"],
        &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"][1]["labelSelector"],
    ];
    for selector in selectors {
        assert!(selects(&selector["matchLabels"], labels), "{selector}");
    }

    let ingress = object("deploy/kubernetes/optional/ingress.yaml");
    let rule = &ingress["spec"]["rules"][0];
    assert_eq!(config.server.names, [rule["host"].as_str().unwrap()]);
    for path in rule["http"]["paths"].as_array().unwrap() {
        assert_eq!(path["backend"]["service"]["name"], learners["metadata"]["name"]);
        assert_eq!(path["backend"]["service"]["port"]["name"], learners["spec"]["ports"][0]["name"]);
    }

    let monitor = object("deploy/kubernetes/optional/service-monitor.yaml");
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], &admin["metadata"]["labels"]));
    assert!(!selects(&monitor["spec"]["selector"]["matchLabels"], &learners["metadata"]["labels"]));
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], admin["spec"]["ports"][0]["name"]);
    for scaler in ["autoscaler.yaml", "optional/scaled-object.yaml"] {
        let scaler = object(&format!("deploy/kubernetes/{scaler}"));
        assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], deployment["metadata"]["name"]);
    }
}

/// Nobody has the operators' schemas here: this holds what their documentation asks for.
#[test]
fn objects_of_operators_have_what_their_operators_ask_for() {
    let monitor = object("deploy/kubernetes/optional/service-monitor.yaml");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(monitor["kind"], "ServiceMonitor");
    assert_eq!(monitor["spec"]["endpoints"][0]["path"], "/metrics");

    let scaled = object("deploy/kubernetes/optional/scaled-object.yaml");
    assert_eq!(scaled["apiVersion"], "keda.sh/v1alpha1");
    assert_eq!(scaled["kind"], "ScaledObject");
    let trigger = &scaled["spec"]["triggers"][0];
    assert_eq!(trigger["type"], "prometheus");
    assert_eq!(trigger["metricType"], "AverageValue");
    for field in ["serverAddress", "query", "threshold"] {
        assert!(trigger["metadata"][field].is_string(), "{field}");
    }
    let core = object("deploy/kubernetes/autoscaler.yaml");
    assert_eq!(scaled["spec"]["minReplicaCount"], core["spec"]["minReplicas"]);
    assert_eq!(scaled["spec"]["maxReplicaCount"], core["spec"]["maxReplicas"]);
}
