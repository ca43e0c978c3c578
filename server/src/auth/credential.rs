//! What a client shows to be let in, and where it may stand in a request.

use axum::http::{HeaderMap, header};

/// How a WebSocket subprotocol begins that is a credential: pages can set no header of a WebSocket.
const SUBPROTOCOL: &str = "bearer.";
/// The parameter of the address.
const PARAMETER: &str = "key";

/// A key or a token. It has no `Debug` and no `Display`, so that it cannot come into a log.
pub(crate) struct Credential(String);

impl Credential {
    /// Takes it out of a request: out of the header `Authorization`, the WebSocket subprotocols, or the parameters of the
    /// address, in which it is not left in any case. The first one of these counts.
    pub(crate) fn take(headers: &HeaderMap, query: &mut Vec<(String, String)>) -> Option<Self> {
        let in_address = query.extract_if(.., |(name, _)| name == PARAMETER).last().map(|(_, key)| key);
        let found = in_authorization(headers).or_else(|| in_subprotocol(headers)).map(str::to_owned);
        found.or(in_address).map(Self)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of a token: three parts with dots between them.
    pub(super) fn is_token(&self) -> bool {
        self.0.split('.').count() == 3
    }
}

impl From<&str> for Credential {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Another scheme is none of this server's: a proxy in front may have asked for it.
fn in_authorization(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

fn in_subprotocol(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    offered.find_map(|offered| offered.trim().strip_prefix(SUBPROTOCOL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        headers: &[(header::HeaderName, &str)],
        query: &[(&str, &str)],
    ) -> (Option<String>, Vec<String>) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let mut query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let credential = Credential::take(&headers, &mut query);
        (credential.map(|found| found.0), query.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_credential_is_found_wherever_it_may_stand_and_never_left_in_the_address() {
        use header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
        let found = |headers: &[(header::HeaderName, &str)], query: &[(&str, &str)]| taken(headers, query).0;
        assert_eq!(found(&[(AUTHORIZATION, "Bearer abc")], &[]).unwrap(), "abc");
        assert_eq!(found(&[(AUTHORIZATION, "bearer  abc ")], &[]).unwrap(), "abc");
        assert_eq!(found(&[(AUTHORIZATION, "Basic abc")], &[]), None);
        assert_eq!(found(&[(SEC_WEBSOCKET_PROTOCOL, "dactyl.v1, bearer.a.b.c")], &[]).unwrap(), "a.b.c");
        let lines = [(SEC_WEBSOCKET_PROTOCOL, "dactyl.v1"), (SEC_WEBSOCKET_PROTOCOL, "bearer.abc")];
        assert_eq!(found(&lines, &[]).unwrap(), "abc");
        assert_eq!(found(&[(SEC_WEBSOCKET_PROTOCOL, "dactyl.v1")], &[]), None);
        let query = [("extras", "top"), ("key", "abc"), ("key", "def")];
        assert_eq!(taken(&[], &query), (Some("def".to_owned()), vec!["extras".to_owned()]));
        let both = taken(&[(AUTHORIZATION, "Bearer abc")], &query);
        assert_eq!(both, (Some("abc".to_owned()), vec!["extras".to_owned()]));
    }
}
