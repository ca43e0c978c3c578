//! The HTTP side: upgrades, health, metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::json;
use tracing::Instrument;

use crate::app::App;
use crate::protocol::{Extras, SUBPROTOCOL, VERSION};
use crate::{origin, page, pipeline, session};

/// How long the outcome of a readiness check is told again: each one runs a frame through a pipeline.
const READINESS_KEPT: Duration = Duration::from_secs(2);

/// Every route.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/web/{*path}", get(page::file))
        .route("/ws", get(open))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/info", get(info))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn(page::with_headers))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}

async fn info(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    let pipelines: BTreeMap<&str, serde_json::Value> = app
        .pipelines
        .iter()
        .map(|(name, prepared)| {
            let description = &prepared.file.description;
            (name.as_str(), json!({"description": description, "labels": prepared.labels}))
        })
        .collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": VERSION,
        "gstreamer": gst::version_string().as_str(),
        "onnx_runtime": dactyl_letters::build_info(),
        "models": app.models.hashes,
        "limits": app.config.server,
        "slots": gstdactyl::slots::Slots::shared().total(),
        "pipeline": app.config.pipeline.name,
        "pipelines": pipelines,
    }))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if *app.shutdown.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    // A task of its own: it goes on and keeps its outcome also when the one who asked has gone.
    let checked = tokio::spawn(check_readiness(Arc::clone(&app))).await;
    let outcome = checked.unwrap_or_else(|error| Err(format!("the check itself failed: {error}")));
    match outcome {
        Ok(()) => "ready\n".into_response(),
        Err(cause) => {
            tracing::error!(cause, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {cause}\n")).into_response()
        }
    }
}

async fn check_readiness(app: Arc<App>) -> Result<(), String> {
    // Held over the check: who asks meanwhile gets its outcome.
    let mut kept = app.readiness.lock().await;
    if let Some((when, outcome)) = &*kept
        && when.elapsed() < READINESS_KEPT
    {
        return outcome.clone();
    }
    let file = app.default_pipeline.file.clone();
    let probed = tokio::task::spawn_blocking(move || pipeline::probe(&file)).await;
    let outcome = match probed {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the check itself failed: {error}")),
    };
    *kept = Some((Instant::now(), outcome.clone()));
    outcome
}

async fn open(
    State(app): State<Arc<App>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let mut response = if may_open(&app, &headers) {
        open_allowed(&app, query, upgrade)
    } else {
        let cause = "this page may not open a WebSocket here; add its origin to server.allowed_origins";
        text(StatusCode::FORBIDDEN, cause)
    };
    // Browsers do not tell a page why its WebSocket was refused. A plain GET does, also to a page of another origin,
    // and to one that is not allowed: nothing in that answer is a secret.
    if let Some(origin) = headers.get(header::ORIGIN) {
        let shared = response.headers_mut();
        shared.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        shared.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
        shared.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

fn text(status: StatusCode, cause: &str) -> Response {
    (status, format!("{cause}\n")).into_response()
}

fn open_allowed(
    app: &App,
    query: Vec<(String, String)>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let mut extras = Extras::default();
    let mut pipeline = app.config.pipeline.name.clone();
    let mut given = BTreeMap::new();
    for (name, value) in query {
        match name.as_str() {
            "extras" => match Extras::read(&value) {
                Ok(read) => extras = read,
                Err(error) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            "pipeline" => pipeline = value,
            _ => {
                given.insert(name, value);
            }
        }
    }
    let Some(prepared) = app.pipelines.get(&pipeline) else {
        let allowed = app.pipelines.keys().cloned().collect::<Vec<_>>().join(", ");
        return text(StatusCode::BAD_REQUEST, &format!("no such pipeline here; there are: {allowed}"));
    };
    if let Err(cause) = prepared.file.launch_text(&given) {
        return text(StatusCode::BAD_REQUEST, &cause);
    }
    let Some(alive) = app.alive.upgrade().filter(|_| !*app.shutdown.borrow()) else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
    };
    let Ok(permit) = Arc::clone(&app.sessions).try_acquire_owned() else {
        let cause =
            format!("all {} sessions are taken (server.max_sessions)", app.config.server.max_sessions);
        return ([(header::RETRY_AFTER, "5")], text(StatusCode::SERVICE_UNAVAILABLE, &cause)).into_response();
    };
    let Ok(upgrade) = upgrade else {
        return text(StatusCode::UPGRADE_REQUIRED, "connect with a WebSocket");
    };
    let id = app.next_session.fetch_add(1, Ordering::Relaxed);
    let settings = session::Settings {
        id,
        prepared: Arc::clone(prepared),
        given,
        extras,
        limits: app.config.server.clone(),
        metrics: Arc::clone(&app.metrics),
        permit,
        shutdown: app.shutdown.clone(),
        alive,
    };
    let most = app.config.server.transport_max_bytes as usize;
    let span = tracing::info_span!("session", id, pipeline);
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(most).max_frame_size(most);
    upgrade.on_upgrade(move |socket| {
        async move {
            tracing::info!("open");
            session::run(socket, settings).await;
        }
        .instrument(span)
    })
}

/// Whether the page behind a request may open a WebSocket.
fn may_open(app: &App, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if headers.get_all(header::ORIGIN).iter().count() > 1 {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    // An origin that is no text is none that is allowed.
    let Ok(origin) = origin.to_str() else { return false };
    // A server of this machine only is not asked for by another name: a page of a domain that resolves to 127.0.0.1
    // would pass for the server's own.
    let host = text(header::HOST).filter(|host| !app.loopback_only || is_loopback(host));
    origin::is_allowed(Some(origin), host, &app.config.server.allowed_origins)
}

/// Whether `host`, with or without a port, can only mean this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["evil.example.org:8080", "127.0.0.1.example.org", "10.0.0.1:8080", "localhost.example.org", ""]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
