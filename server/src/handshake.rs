//! The opening handshake of a WebSocket over HTTP/1.1, as a server has to read it (RFC 6455, section 4.2).

use axum::extract::{FromRequestParts, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
/// The only version there is.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A request that opens a WebSocket.
pub(crate) struct Handshake(pub(crate) WebSocketUpgrade);

/// Why a request opens none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHandshake {
    /// It is a plain request.
    NotAsked,
    /// It came by HTTP/1.0, in which nothing can be upgraded.
    OldHttp,
    /// It asks for another version of the WebSocket protocol, or for none.
    WrongVersion,
    /// Its key is missing, there twice, or not 16 bytes in base64.
    BadKey,
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoHandshake;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NoHandshake> {
        if parts.version < Version::HTTP_11 {
            return Err(NoHandshake::OldHttp);
        }
        let headers = &mut parts.headers;
        if !lists(headers, header::UPGRADE, &WEBSOCKET) || !lists(headers, header::CONNECTION, &UPGRADE) {
            return Err(NoHandshake::NotAsked);
        }
        if !lists(headers, header::SEC_WEBSOCKET_VERSION, &VERSION) {
            return Err(NoHandshake::WrongVersion);
        }
        let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
        if !keys.next().is_some_and(is_key) || keys.next().is_some() {
            return Err(NoHandshake::BadKey);
        }
        // The extractor looks at no list but at one line with one entry.
        headers.insert(header::UPGRADE, WEBSOCKET);
        headers.insert(header::CONNECTION, UPGRADE);
        headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        upgrade.map(Self).map_err(|_| NoHandshake::NotAsked)
    }
}

impl IntoResponse for NoHandshake {
    /// 426 with the headers that it must have (RFC 9110, section 15.5.22; RFC 6455, section 4.2.2), 400 for a bad key.
    fn into_response(self) -> Response {
        let (status, cause) = match self {
            Self::NotAsked => (StatusCode::UPGRADE_REQUIRED, "connect with a WebSocket\n"),
            Self::OldHttp => (
                StatusCode::UPGRADE_REQUIRED,
                "connect with a WebSocket, by HTTP/1.1; a proxy must speak it too\n",
            ),
            Self::WrongVersion => (StatusCode::UPGRADE_REQUIRED, "connect with version 13 of WebSocket\n"),
            Self::BadKey => {
                (StatusCode::BAD_REQUEST, "one Sec-WebSocket-Key is needed, 16 random bytes in base64\n")
            }
        };
        let mut response = (status, cause).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, WEBSOCKET);
            headers.insert(header::CONNECTION, UPGRADE);
        }
        if self == Self::WrongVersion {
            headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
        }
        response
    }
}

/// Whether `entry` is in the list that the header's lines make up together (RFC 9110, section 5.3), in any case.
fn lists(headers: &HeaderMap, name: HeaderName, entry: &HeaderValue) -> bool {
    let mut entries =
        headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries.any(|found| found.trim_ascii().eq_ignore_ascii_case(entry.as_bytes()))
}

/// Whether it has the form of 16 bytes in base64.
fn is_key(value: &HeaderValue) -> bool {
    let digits = value.as_bytes().strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}
