//! Taking certificate, keys, limits and pipelines anew while sessions run.

use std::sync::Arc;

use anyhow::{Context, Result};
use dactyl_config::{Config, KEYS, Server};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::memory::release_freed;
use crate::service;
use crate::terms::Terms;

/// Who asks for a reload, and where the configuration comes from then.
pub struct Reloads {
    asked: mpsc::Receiver<()>,
    read: Arc<dyn Fn() -> Result<Config> + Send + Sync>,
}

/// What came of one.
struct Reloaded {
    /// What is new from now on.
    taken: Vec<String>,
    /// Keys of the configuration that have changed and are read at the start alone.
    needs_restart: Vec<&'static str>,
}

impl Reloads {
    /// Each message of `asked` has the configuration read once more; those that come while one is under way are one.
    pub fn new(asked: mpsc::Receiver<()>, read: impl Fn() -> Result<Config> + Send + Sync + 'static) -> Self {
        Self { asked, read: Arc::new(read) }
    }
}

/// Reloads whenever it is asked for; ends when nobody can ask any more.
pub(crate) async fn serve(app: Arc<App>, mut reloads: Reloads) {
    while reloads.asked.recv().await.is_some() {
        service::reloading();
        let outcome = {
            let (app, read) = (Arc::clone(&app), Arc::clone(&reloads.read));
            spawn_blocking(move || reload(&app, &*read)).await.context("it ended in the middle").flatten()
        };
        app.metrics.reload(outcome.is_ok());
        match outcome {
            Ok(Reloaded { taken, needs_restart }) => {
                let list = |list: String| if list.is_empty() { "nothing".to_owned() } else { list };
                let (taken, needs_restart) = (list(taken.join(", ")), list(needs_restart.join(", ")));
                tracing::info!(taken, needs_restart, "reloaded");
            }
            Err(error) => tracing::error!("not reloaded, everything stays as it was: {error:#}"),
        }
        service::ready();
    }
}

/// Everything is read and checked before anything is taken.
fn reload(app: &App, read: &dyn Fn() -> Result<Config>) -> Result<Reloaded> {
    let before = app.terms();
    let read = read()?;
    let config = merged(&before.config, &read);
    let needs_restart = differences(&read, &config);
    let terms = Terms::prepare(Arc::new(config), Some(&before))?;
    let taken = terms.news(&before);
    terms.warn();
    app.in_force.replace(terms);
    let terms = app.terms();
    app.registry.close_of(|client| terms.auth.has_withdrawn(client));
    drop(before);
    release_freed();
    Ok(Reloaded { taken, needs_restart })
}

/// What is read, but of what is there from the start to the end only what runs.
fn merged(running: &Config, read: &Config) -> Config {
    Config {
        server: Server { listen: running.server.listen.clone(), ..read.server.clone() },
        tls: read.tls.clone(),
        auth: read.auth.clone(),
        pipeline: read.pipeline.clone(),
        ..running.clone()
    }
}

/// The keys of the configuration whose values are not the same.
pub(crate) fn differences(one: &Config, other: &Config) -> Vec<&'static str> {
    let [one, other] = [one, other].map(|config| serde_json::json!(config));
    let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
    let paths = KEYS.iter().map(|key| key.path);
    paths.filter(|path| one.pointer(&pointer(path)) != other.pointer(&pointer(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_from_the_start_to_the_end_needs_a_restart() {
        let running = Config::builtin();
        let mut read = running.clone();
        read.server.listen = "0.0.0.0:80".to_owned();
        read.server.max_sessions = 7;
        read.letters.window = 16;
        read.pipeline.allowed = Vec::new();
        let merged = merged(&running, &read);
        assert_eq!(differences(&merged, &running), ["server.max_sessions", "pipeline.allowed"]);
        assert_eq!(differences(&read, &merged), ["server.listen", "letters.window"]);
    }
}
