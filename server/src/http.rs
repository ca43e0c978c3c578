//! The HTTP side: upgrades, health, metrics.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use serde_json::json;
use tracing::Instrument;

use crate::app::App;
use crate::auth::{Credential, Grant};
use crate::connections::Peer;
use crate::denial::Denial;
use crate::handshake::{Handshake, NoHandshake};
use crate::places::{Most, NoPlace};
use crate::protocol::{Extras, SUBPROTOCOL, VERSION};
use crate::terms::Terms;
use crate::{origin, page, session, web_networks};

/// The routes of the listener of clients; operators' are among them unless they have one of their own.
pub(crate) fn client_routes(app: Arc<App>, serves_operators: bool) -> Router {
    let routes = Router::new()
        .merge(page::routes())
        .merge(web_networks::routes())
        .route("/ws", get(open).options(preflight))
        .route("/info", get(info));
    complete(if serves_operators { routes.merge(operator_routes()) } else { routes }, app)
}

/// The routes of a listener for operators alone.
pub(crate) fn admin_routes(app: Arc<App>) -> Router {
    complete(operator_routes(), app)
}

fn operator_routes() -> Router<Arc<App>> {
    Router::new().route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// Adds what every listener answers and checks.
fn complete(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(middleware::from_fn(with_one_host))
        .layer(middleware::from_fn(page::with_headers))
        .with_state(app)
}

/// Refuses requests that RFC 9112, section 3.2, has refused: of several `Host` headers a proxy may take another one than
/// the server does.
async fn with_one_host(request: Request, next: Next) -> Response {
    match request.headers().get_all(header::HOST).iter().count() {
        1 => next.run(request).await,
        0 if request.version() < Version::HTTP_11 => next.run(request).await,
        _ => text(StatusCode::BAD_REQUEST, "a request of HTTP/1.1 has one Host header"),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    app.metrics.sessions_free(app.sessions_free());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}

/// What the key of a client lets it have: whoever may open no session learns nothing here.
async fn info(
    State(app): State<Arc<App>>,
    Query(mut query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let terms = app.terms();
    let shown = Credential::take(&headers, &mut query);
    let grant = match terms.auth.admit(shown.as_ref()) {
        Ok(grant) => grant,
        Err(cause) => {
            app.metrics.denial(Denial::Key);
            return Denied::key(cause).into_response();
        }
    };
    let pipelines: BTreeMap<&str, serde_json::Value> = terms
        .pipelines
        .iter()
        .filter(|(name, _)| grant.permits(name))
        .map(|(name, prepared)| {
            let file = &prepared.file;
            let parameters: Vec<&String> = file
                .parameters
                .iter()
                .filter_map(|(name, parameter)| parameter.client.then_some(name))
                .collect();
            let pipeline = json!({
                "description": file.description,
                "takes": prepared.takes.as_str(),
                "labels": prepared.labels,
                "parameters": parameters,
            });
            (name.as_str(), pipeline)
        })
        .collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": VERSION,
        "gstreamer": gst::version_string().as_str(),
        "onnx_runtime": dactyl_letters::build_info(),
        "models": app.models.hashes,
        "features": app.models.features(),
        "tracker": !app.models.for_browsers.is_empty(),
        "limits": terms.config.server,
        "slots": gstdactyl::slots::Slots::shared().total(),
        "pipeline": grant.pipeline(&terms.config.pipeline.name),
        "pipelines": pipelines,
    }))
    .into_response()
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_ending() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    match app.look().await {
        Ok(()) => "ready\n".into_response(),
        Err(cause) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {cause}")),
    }
}

async fn open(
    State(app): State<Arc<App>>,
    Query(mut query): Query<Vec<(String, String)>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    handshake: Result<Handshake, NoHandshake>,
) -> Response {
    let terms = app.terms();
    let client = terms.proxies.client(peer.address, &headers);
    // A plain request only asks why.
    let asks_for_socket = handshake.is_ok();
    let shown = Credential::take(&headers, &mut query);
    let outcome = if may_open(&terms, app.loopback_only, &headers) {
        let granted = terms.auth.admit(shown.as_ref()).map_err(Denied::key);
        granted.and_then(|grant| open_allowed(&app, &terms, query, &peer, client, &grant, handshake))
    } else {
        Err(Denied::new(Denial::Origin, StatusCode::FORBIDDEN))
    };
    let mut response = outcome.unwrap_or_else(|denied| {
        if asks_for_socket {
            tracing::debug!(%client, cause = ?denied.cause, "not let in");
            app.denials.count(denied.denial, client);
        }
        denied.into_response()
    });
    share(&mut response, &headers);
    response
}

/// Browsers do not tell a page why its WebSocket was refused. A plain GET does, also to a page of another origin, and to one
/// that is not allowed: nothing in that answer is a secret.
fn share(response: &mut Response, asked: &HeaderMap) {
    let Some(origin) = asked.get(header::ORIGIN) else { return };
    let shared = response.headers_mut();
    shared.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    shared.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    shared.insert(header::VARY, HeaderValue::from_static("Origin"));
}

/// What browsers ask before a page of another origin may ask with its key.
async fn preflight(headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    share(&mut response, &headers);
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization"));
    response
}

fn text(status: StatusCode, cause: &str) -> Response {
    (status, format!("{cause}\n")).into_response()
}

/// A client that is not let in, and what it is told.
struct Denied {
    denial: Denial,
    status: StatusCode,
    cause: String,
}

impl Denied {
    fn new(denial: Denial, status: StatusCode) -> Self {
        Self { denial, status, cause: denial.text().to_owned() }
    }

    /// The client shows nothing that lets it in.
    fn key(cause: &str) -> Self {
        Self { denial: Denial::Key, status: StatusCode::UNAUTHORIZED, cause: cause.to_owned() }
    }

    /// The request asks for what there is not.
    fn request(cause: String) -> Self {
        Self { denial: Denial::Request, status: StatusCode::BAD_REQUEST, cause }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let mut response = text(self.status, &self.cause);
        if matches!(self.denial, Denial::Full | Denial::SessionsOfClient) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if self.denial == Denial::Key {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn open_allowed(
    app: &App,
    terms: &Terms,
    query: Vec<(String, String)>,
    peer: &Peer,
    address: IpAddr,
    grant: &Grant,
    handshake: Result<Handshake, NoHandshake>,
) -> Result<Response, Denied> {
    let limits = &terms.config.server;
    let mut extras = Extras::default();
    let mut pipeline = grant.pipeline(&terms.config.pipeline.name).to_owned();
    let mut given = BTreeMap::new();
    for (name, value) in query {
        match name.as_str() {
            "extras" => extras = Extras::read(&value).map_err(|error| Denied::request(error.to_string()))?,
            "pipeline" => pipeline = value,
            _ => {
                given.insert(name, value);
            }
        }
    }
    let prepared = terms.pipelines.get(&pipeline).filter(|_| grant.permits(&pipeline)).ok_or_else(|| {
        let permitted = terms.pipelines.keys().filter(|name| grant.permits(name));
        let allowed = permitted.cloned().collect::<Vec<_>>().join(", ");
        Denied::request(format!("no such pipeline here; there are: {allowed}"))
    })?;
    prepared.file.launch_text(&given).map_err(Denied::request)?;
    let unavailable = |denial| Denied::new(denial, StatusCode::SERVICE_UNAVAILABLE);
    let alive =
        app.alive.upgrade().filter(|_| !app.is_ending()).ok_or_else(|| unavailable(Denial::Stopping))?;
    // What is known of a proxy alone is nobody's in particular.
    let client = grant.client((!terms.proxies.contain(address)).then_some(address));
    let most = Most {
        all: limits.max_sessions as usize,
        of_client: grant.max_sessions(limits.max_sessions_per_client) as usize,
    };
    let place = app.sessions.take(client.clone(), most).map_err(|none| match none {
        NoPlace::All => {
            let cause = format!("all {} sessions are taken (server.max_sessions)", most.all);
            Denied { cause, ..unavailable(Denial::Full) }
        }
        NoPlace::OfClient => unavailable(Denial::SessionsOfClient),
    })?;
    let Handshake(upgrade) = match handshake {
        Ok(handshake) => handshake,
        Err(problem) => return Ok(problem.into_response()),
    };
    let id = app.next_session.fetch_add(1, Ordering::Relaxed);
    let start = session::Start {
        id,
        prepared: Arc::clone(prepared),
        given,
        extras,
        limits: limits.clone(),
        client,
        client_fps: grant.max_fps(limits.max_fps_per_client),
        ends: grant.ends,
        metrics: Arc::clone(&app.metrics),
        place,
        received: Arc::clone(&peer.received),
        in_force: Arc::clone(&app.in_force),
        registry: Arc::clone(&app.registry),
        shutdown: app.shutdown.clone(),
        alive,
    };
    let most = limits.transport_max_bytes as usize;
    let span = tracing::info_span!("session", id, pipeline, client = %address, key = grant.key_name());
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(most).max_frame_size(most);
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            tracing::info!("open");
            session::run(socket, start).await;
        }
        .instrument(span)
    }))
}

/// Whether the page behind a request may open a WebSocket.
fn may_open(terms: &Terms, loopback_only: bool, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if headers.get_all(header::ORIGIN).iter().count() > 1 {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    // An origin that is no text is none that is allowed.
    let Ok(origin) = origin.to_str() else { return false };
    // A page of a foreign name that stands for this machine would pass for the server's own.
    let host = text(header::HOST).filter(|host| terms.names.contain(host, loopback_only));
    origin::is_allowed(Some(origin), host, &terms.config.server.allowed_origins)
}
