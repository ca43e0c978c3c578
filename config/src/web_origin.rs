//! Where a web page comes from, as browsers say it in the `Origin` header.

/// Scheme, host and port of a page (RFC 6454). Schemes and hosts are compared in any case, and a missing port is the
/// scheme's own.
#[derive(Debug, Clone, Copy)]
pub struct WebOrigin<'a> {
    scheme: &'a str,
    /// Empty where pages of the scheme have none.
    host: &'a str,
    /// `None` where neither the text nor the scheme says one.
    port: Option<u16>,
}

impl<'a> WebOrigin<'a> {
    /// `scheme://host` or `scheme://host:port`, and `file://` of packaged apps, which have no host; `None` of any other
    /// text, `null` too.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::of_parts(scheme, authority)
    }

    /// As [`Self::parse`], of an entry of `server.allowed_origins`, which may end in a slash as addresses do.
    pub fn parse_listed(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::of_parts(scheme, authority.trim_end_matches('/'))
    }

    fn of_parts(scheme: &'a str, authority: &'a str) -> Option<Self> {
        let hostless = Self { scheme, host: "", port: None };
        if authority.is_empty() && is_scheme(scheme) && !hostless.is_web() {
            return Some(hostless);
        }
        Self::of_authority(scheme, authority)
    }

    /// The origin of the pages at `authority`, a host with or without a port.
    pub fn of_authority(scheme: &'a str, authority: &'a str) -> Option<Self> {
        // The colons inside of [::1] separate no port.
        let colon = authority.rfind(':').filter(|&colon| !authority[colon..].contains(']'));
        let (host, port) = match colon {
            Some(colon) => (&authority[..colon], Some(port(&authority[colon + 1..])?)),
            None => (authority, default_port(scheme)),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
            // Anything that could end the host for one reader and not for another is refused.
            None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        };
        (valid && !host.is_empty() && bare != Some("") && is_scheme(scheme)).then_some(Self {
            scheme,
            host,
            port,
        })
    }

    /// Whether it is a page of the web and not one of an app.
    pub fn is_web(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("http") || self.scheme.eq_ignore_ascii_case("https")
    }

    /// The scheme, as it was written.
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }
}

impl PartialEq for WebOrigin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn port(text: &str) -> Option<u16> {
    // `parse` alone would take "+80".
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
