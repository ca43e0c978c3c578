//! The tracker's networks for browsers that find landmarks themselves: a list of them, and each file under its SHA-256.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Json;
use axum::Router;
use axum::extract::{Path as Segments, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use dactyl_fetch::{Status, hash_bytes};
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::app::App;

/// An address names what is behind it by its hash, and never stands for anything else.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Asked for again each time: there may be other networks.
const ASK_AGAIN: &str = "no-cache";

/// All of them, or none where the folder of models lacks one.
#[derive(Default)]
pub(crate) struct WebNetworks(Vec<Arc<WebNetwork>>);

/// One network as the list has it.
#[derive(Serialize)]
struct WebNetwork {
    /// Its file's name without the extension.
    name: String,
    /// Of its file, in hexadecimal.
    sha256: String,
    /// Of its file.
    bytes: u64,
    /// Where it is, seen from the list.
    url: String,
    /// Of the work that it comes from (SPDX).
    licence: String,
    #[serde(skip)]
    path: PathBuf,
    /// In memory from the first request on, once for all who ask.
    #[serde(skip)]
    content: OnceCell<Bytes>,
}

impl WebNetworks {
    /// Lists `files`, names of the models folder in the order in which the tracker takes them, as `found` says that they are
    /// there.
    pub(crate) fn new(folder: &Path, files: &[String], found: &[Status]) -> Self {
        let list = |file: &String| {
            let status = found.iter().find(|status| status.file == *file)?;
            let (sha256, bytes) = (status.sha256.clone()?, status.bytes?);
            let name = Path::new(file).file_stem()?.to_str()?.to_owned();
            let url = format!("{sha256}/{name}.tflite");
            let (licence, path) = (status.licence.clone(), folder.join(file));
            Some(Arc::new(WebNetwork { name, sha256, bytes, url, licence, path, content: OnceCell::new() }))
        };
        Self(files.iter().map(list).collect::<Option<_>>().unwrap_or_default())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl WebNetwork {
    async fn content(self: &Arc<Self>) -> Result<&Bytes> {
        let network = Arc::clone(self);
        self.content.get_or_try_init(|| async { spawn_blocking(move || network.read()).await? }).await
    }

    fn read(&self) -> Result<Bytes> {
        let path = self.path.display();
        let bytes = std::fs::read(&self.path).with_context(|| format!("{path} can't be read"))?;
        let sha256 = hash_bytes(&bytes);
        ensure!(sha256 == self.sha256, "{path} has changed since the server started: restart it");
        Ok(bytes.into())
    }
}

/// `/web/models/networks.json`, and the files where that says. They hardly get smaller when they are compressed.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/web/models/networks.json", get(list))
        .route("/web/models/{sha256}/{file}", get(file))
}

async fn list(State(app): State<Arc<App>>) -> Response {
    let WebNetworks(networks) = &app.models.for_browsers;
    if networks.is_empty() {
        return none(
            "this server has no networks: it answers landmarks that clients find with networks of their own",
        );
    }
    let networks: Vec<&WebNetwork> = networks.iter().map(Arc::as_ref).collect();
    ([(header::CACHE_CONTROL, ASK_AGAIN)], Json(networks)).into_response()
}

async fn file(State(app): State<Arc<App>>, Segments((sha256, file)): Segments<(String, String)>) -> Response {
    let WebNetworks(networks) = &app.models.for_browsers;
    let url = format!("{sha256}/{file}");
    let Some(network) = networks.iter().find(|network| network.url == url) else {
        return none("no such network here: /web/models/networks.json lists those that there are");
    };
    match network.content().await {
        Ok(content) => {
            let kind = "application/octet-stream";
            ([(header::CACHE_CONTROL, FOREVER), (header::CONTENT_TYPE, kind)], content.clone())
                .into_response()
        }
        Err(error) => {
            tracing::error!("a network can't be sent to a browser: {error:#}");
            let cause = "this network has changed or can't be read: restart the server, or see its log\n";
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")], cause).into_response()
        }
    }
}

fn none(cause: &str) -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, ASK_AGAIN)], format!("{cause}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use dactyl_fetch::FileState;

    use super::*;

    /// Two networks in a folder, as they are found there.
    fn two(folder: &Path) -> (Vec<String>, Vec<Status>) {
        let files = ["tflite/one.tflite", "tflite/two.tflite"].map(str::to_owned).to_vec();
        std::fs::create_dir(folder.join("tflite")).unwrap();
        let found = files.iter().map(|file| {
            std::fs::write(folder.join(file), file).unwrap();
            Status {
                file: file.clone(),
                licence: String::new(),
                package: String::new(),
                source: String::new(),
                bytes: Some(file.len() as u64),
                sha256: Some(hash_bytes(file)),
                state: FileState::Ready,
            }
        });
        let found = found.rev().collect();
        (files, found)
    }

    #[test]
    fn networks_are_listed_in_the_order_of_the_tracker_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (files, mut found) = two(folder.path());
        let WebNetworks(networks) = WebNetworks::new(folder.path(), &files, &found);
        let names: Vec<&str> = networks.iter().map(|network| network.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(
            networks
                .iter()
                .all(|network| network.url == format!("{}/{}.tflite", network.sha256, network.name))
        );
        found[0].sha256 = None;
        assert!(WebNetworks::new(folder.path(), &files, &found).0.is_empty());
    }

    #[tokio::test]
    async fn a_network_that_was_replaced_while_the_server_runs_is_not_sent_under_the_old_hash() {
        let folder = tempfile::tempdir().unwrap();
        let (files, found) = two(folder.path());
        let WebNetworks(networks) = WebNetworks::new(folder.path(), &files, &found);
        std::fs::write(folder.path().join(&files[0]), "another").unwrap();
        let error = networks[0].content().await.unwrap_err().to_string();
        assert!(
            error.ends_with("tflite/one.tflite has changed since the server started: restart it"),
            "{error}"
        );
        assert_eq!(*networks[1].content().await.unwrap(), files[1]);
        // What is in memory stays what it was.
        std::fs::remove_file(folder.path().join(&files[1])).unwrap();
        assert_eq!(*networks[1].content().await.unwrap(), files[1]);
        // What is there again is sent again.
        std::fs::write(folder.path().join(&files[0]), &files[0]).unwrap();
        assert_eq!(*networks[0].content().await.unwrap(), files[0]);
    }
}
