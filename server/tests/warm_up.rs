//! What is ready before the first session. A binary of its own, as it counts the runs of the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dactyl_config::Config;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// The names of the networks that ran, without folder and extension.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<BTreeSet<String>>>);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ran {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "network" {
            attributes.record(&mut Name(&self.0));
        }
    }
}

struct Name<'a>(&'a Mutex<BTreeSet<String>>);

impl Visit for Name<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            let name = Path::new(value).file_stem().unwrap_or_default().to_string_lossy();
            self.0.lock().unwrap().insert(name.into_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// The picture that goes through every pipeline shows nobody, so that it alone does not run them.
#[test]
fn every_network_has_run_before_a_server_listens() {
    let ran = Ran::default();
    tracing::subscriber::set_global_default(Registry::default().with(ran.clone())).unwrap();
    let config = Config::builtin();
    dactyl_config::install(config.clone());
    dactyl::Server::prepare(Arc::new(config)).unwrap();
    let ran = ran.0.lock().unwrap();
    for name in [
        "pose_detection",
        "pose_landmark",
        "palm_detection",
        "hand_recrop",
        "hand_landmark",
        "face_detection",
        "face_landmark",
    ] {
        assert!(ran.contains(name), "{name} has not run, only {ran:?}");
    }
}
