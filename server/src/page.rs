//! The practice page: the files of `server/web`, part of the program, and the headers that bind them.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

/// Nothing but this server's own files, no inline script or style, the camera for this page alone. `'wasm-unsafe-eval'` lets
/// the page compile WebAssembly, which is the tracker that `tracker-worker.js` loads from here, and no text as a script; browsers
/// compile none without it. `worker-src` is for that worker and for the encoder of `client.js`.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(), geolocation=(), display-capture=()",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Built without optimisation, the program reads the files from the folder instead, so that they can be worked on.
#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// `/` and `/web/PATH`, compressed for clients that take it.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(index)).route("/web/{*path}", get(file)).layer(CompressionLayer::new())
}

async fn index(headers: HeaderMap) -> Response {
    answer("index.html", &headers)
}

async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(&path, &headers)
}

/// Adds the headers to every answer of the server.
pub(crate) async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn answer(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else {
        return (StatusCode::NOT_FOUND, "no such file of the practice page\n").into_response();
    };
    let tag = entity_tag(&file);
    // Asked for again each time, sent again when it has changed: a new server may bring another protocol.
    let kept = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let mut kind = file.metadata.mimetype().to_owned();
    if kind.starts_with("text/") {
        kind.push_str("; charset=utf-8");
    }
    (kept, [(header::CONTENT_TYPE, kind)], Body::from(file.data.into_owned())).into_response()
}

/// Whether the client has the file of that tag: one of a list, of which a proxy may have taken the mark of a weak one.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let strong = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    known.map(str::trim).any(|known| strong(known) == strong(tag))
}

/// Weak, because it is the same whether the file is sent compressed or not.
fn entity_tag(file: &EmbeddedFile) -> String {
    let digest: String = file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digest}\"")
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    /// What a visitor loads at most, uncompressed and compressed; the limits are part of what the page promises.
    const MOST_BYTES: usize = 250_000;
    const MOST_SENT_BYTES: usize = 80_000;

    /// Every file, but of the languages only the largest one, because a page loads the one that is chosen, and neither the
    /// pictures that are taken when the page is installed nor the tracker, which is loaded where it is chosen.
    fn loaded() -> Vec<(String, usize)> {
        let sizes = Files::iter()
            .filter(|path| !path.ends_with(".png") && !path.starts_with("tracker"))
            .map(|path| (path.to_string(), Files::get(&path).unwrap().data.len()));
        let (languages, mut others): (Vec<_>, Vec<_>) =
            sizes.partition(|(path, _)| path.starts_with("languages/"));
        assert!(languages.len() >= 3, "{languages:?}");
        others.extend(languages.into_iter().max_by_key(|(_, size)| *size));
        others
    }

    async fn sent(path: &str) -> Response {
        let request = Request::get(format!("/web/{path}")).header(header::ACCEPT_ENCODING, "br;q=0, gzip");
        routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_page_is_light() {
        let files = loaded();
        let total: usize = files.iter().map(|(_, size)| size).sum();
        assert!(total < MOST_BYTES, "{total} bytes: {files:?}");
        let mut compressed = Vec::new();
        for (path, _) in &files {
            let body = axum::body::to_bytes(sent(path).await.into_body(), MOST_BYTES).await.unwrap();
            compressed.push((path, body.len()));
        }
        let total_sent: usize = compressed.iter().map(|(_, size)| size).sum();
        assert!(total_sent < MOST_SENT_BYTES, "{total_sent} bytes: {compressed:?}");
    }

    #[tokio::test]
    async fn text_is_compressed_for_those_who_take_it_and_pictures_are_not() {
        let script = sent("app.js").await;
        assert_eq!(script.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(script.headers()[header::VARY], "accept-encoding");
        let program = sent("tracker.wasm").await;
        assert_eq!(program.headers()[header::CONTENT_TYPE], "application/wasm");
        assert_eq!(program.headers()[header::CONTENT_ENCODING], "gzip");
        assert!(!sent("icon-512.png").await.headers().contains_key(header::CONTENT_ENCODING));
        assert!(!answer("app.js", &HeaderMap::new()).headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn a_file_is_sent_once_and_then_only_when_it_has_changed() {
        let first = answer("client.js", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone())]);
        assert_eq!(answer("client.js", &known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer("style.css", &known).status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap();
        for (list, status) in [
            (tag.to_owned(), StatusCode::NOT_MODIFIED),
            (tag.trim_start_matches("W/").to_owned(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/\"x\",{tag}"), StatusCode::NOT_MODIFIED),
            ("W/\"other\"".to_owned(), StatusCode::OK),
        ] {
            let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, list.parse().unwrap())]);
            assert_eq!(answer("client.js", &known).status(), status, "{list}");
        }
    }

    #[test]
    fn nothing_outside_of_the_folder_is_sent() {
        for path in ["../Cargo.toml", "../src/page.rs", "/etc/passwd", "none.js", ""] {
            assert_eq!(answer(path, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
