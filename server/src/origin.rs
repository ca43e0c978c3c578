//! Who may open a WebSocket. Browsers let any page on the web open one to any address, localhost too, and say which
//! page it was in the `Origin` header; programs that are not browsers send none.

use dactyl_config::WebOrigin;

/// Whether a WebSocket may be opened.
///
/// `origin` and `host` are the request's headers of those names; `allowed` are further origins, such as
/// `https://learn.example.org`. A request without `Origin` comes from a native client and is let in, and so is a page
/// of this very server: its origin names the `Host` that was asked for. Schemes and hosts are compared in any case, and
/// a missing port is the scheme's own. `null` and `file://`, the origins of sandboxed pages, local files and packaged apps,
/// must be listed.
pub fn is_allowed(origin: Option<&str>, host: Option<&str>, allowed: &[String]) -> bool {
    let Some(origin) = origin else {
        return true;
    };
    if origin == "null" {
        return allowed.iter().any(|listed| listed == "null");
    }
    let Some(origin) = WebOrigin::parse(origin) else {
        return false;
    };
    // Behind a proxy that ends TLS the scheme of the page is not the one spoken here; the authority is.
    let own = host.and_then(|host| WebOrigin::of_authority(origin.scheme(), host));
    own.is_some_and(|own| own.is_web() && own == origin)
        || allowed.iter().any(|listed| WebOrigin::parse_listed(listed) == Some(origin))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;
    use proptest::prelude::*;

    const NONE: &[String] = &[];

    fn own(origin: &str, host: &str) -> bool {
        is_allowed(Some(origin), Some(host), NONE)
    }

    fn listed(origin: &str, allowed: &str) -> bool {
        is_allowed(Some(origin), Some("127.0.0.1:8080"), &[allowed.to_owned()])
    }

    #[test]
    fn native_clients_send_no_origin_and_are_let_in() {
        assert!(is_allowed(None, Some("127.0.0.1:8080"), NONE));
        assert!(is_allowed(None, None, NONE));
    }

    #[test]
    fn a_page_of_this_server_is_let_in() {
        assert!(own("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(own("http://localhost:8080", "localhost:8080"));
        assert!(own("http://[::1]:8080", "[::1]:8080"));
        assert!(own("HTTP://LocalHost:8080", "localhost:8080"));
    }

    #[test]
    fn a_missing_port_is_the_schemes_own() {
        assert!(own("http://example.org", "example.org"));
        assert!(own("http://example.org", "example.org:80"));
        assert!(own("https://example.org", "example.org"));
        assert!(own("https://example.org", "example.org:443"));
        assert!(!own("https://example.org", "example.org:80"));
        assert!(!own("http://example.org:8080", "example.org"));
        assert!(own("http://[::1]", "[::1]:80"));
    }

    #[test]
    fn other_pages_are_refused() {
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "http://localhost:8080",
            "http://127.0.0.1:8080.evil.example",
            "http://127.0.0.1:8080@evil.example",
            "http://evil.example/127.0.0.1:8080",
            "http://127.0.0.1:8080/",
            "ftp://127.0.0.1:8080",
            "file://",
            "://127.0.0.1:8080",
            "127.0.0.1:8080",
            "null",
            "",
        ] {
            assert!(!own(origin, "127.0.0.1:8080"), "{origin}");
        }
        assert!(!is_allowed(Some("http://127.0.0.1:8080"), None, NONE));
        assert!(!own("http://", ""));
        assert!(!own("http://a:+80", "a"));
        assert!(!own("http://a:99999", "a:99999"));
    }

    #[test]
    fn listed_origins_match_exactly_but_for_case_default_port_and_a_final_slash() {
        assert!(listed("https://learn.example.org", "https://learn.example.org"));
        assert!(listed("https://learn.example.org", "https://Learn.Example.org:443/"));
        assert!(listed("https://learn.example.org:444", "https://learn.example.org:444"));
        assert!(listed("capacitor://localhost", "capacitor://localhost"));
        assert!(listed("null", "null"));
        for entry in ["file://", "file:///", "FILE://"] {
            assert!(listed("file://", entry), "{entry}");
        }
        assert!(!listed("file://", "null"));
        assert!(!listed("null", "file://"));
        assert!(!listed("http://", "file://"));
        assert!(!listed("http://learn.example.org", "https://learn.example.org"));
        assert!(!listed("https://learn.example.org.evil.example", "https://learn.example.org"));
        assert!(!listed("https://evil.learn.example.org", "https://learn.example.org"));
        assert!(!listed("https://learn.example.org:444", "https://learn.example.org"));
        assert!(!listed("https://learn.example.org", "learn.example.org"));
        assert!(!listed("https://learn.example.org", "*"));
    }

    proptest! {
        #[test]
        fn only_the_own_host_is_let_in(origin in ".{0,40}", host in "[a-z0-9.:\\[\\]]{0,20}") {
            if is_allowed(Some(&origin), Some(&host), NONE) {
                let authority = origin.to_ascii_lowercase();
                let authority = authority.split_once("://").unwrap().1;
                let without = |text: &str| {
                    text.trim_end_matches(":80").trim_end_matches(":443").to_owned()
                };
                prop_assert_eq!(without(authority), without(&host));
            }
        }
    }
}
