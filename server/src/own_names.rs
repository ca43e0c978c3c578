//! The names of this server: a page that was loaded from one of them is its own.
//!
//! Any web page can have a name that stands for this machine's address, after it has stood for its author's (DNS
//! rebinding). Its `Origin` then names the `Host` that it asks for, and only the name itself tells it from ours.

use std::net::IpAddr;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

/// The names of this server.
pub(crate) struct OwnNames {
    /// Those that are configured, in lower case; they alone count if there are any.
    listed: Vec<String>,
    /// This machine's host name, in lower case.
    machine: String,
    certificate: Option<CertificateDer<'static>>,
}

impl OwnNames {
    pub(crate) fn new(listed: &[String], certificate: Option<CertificateDer<'static>>) -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
        let listed = listed.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { listed, machine, certificate }
    }

    /// Whether `host`, the name in a `Host` header with or without a port, is one of them. `loopback_only`: only this machine
    /// can reach the server, so that an address of another is not its own.
    pub(crate) fn contain(&self, host: &str, loopback_only: bool) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if !self.listed.is_empty() {
            return self.listed.contains(&name);
        }
        if name == "localhost" {
            return true;
        }
        // An address cannot be rebound.
        if let Ok(address) = name.parse::<IpAddr>() {
            return !loopback_only || address.is_loopback();
        }
        !loopback_only && (self.is_machine(&name) || self.is_certified(&name))
    }

    /// The host name alone, and as it is found in the local network.
    fn is_machine(&self, name: &str) -> bool {
        !self.machine.is_empty()
            && (name == self.machine || name.strip_suffix(".local") == Some(&self.machine))
    }

    fn is_certified(&self, name: &str) -> bool {
        let Some(certificate) = &self.certificate else { return false };
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return false };
        let Ok(name) = ServerName::try_from(name) else { return false };
        certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_this_machine_alone_is_asked_for_by_its_loopback_names() {
        let names = OwnNames::new(&[], None);
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(names.contain(host, true), "{host}");
        }
        for host in
            ["evil.example.org:8080", "127.0.0.1.example.org", "10.0.0.1:8080", "localhost.example.org", ""]
        {
            assert!(!names.contain(host, true), "{host}");
        }
    }

    #[test]
    fn a_server_of_all_addresses_has_no_name_that_anybody_can_give_it() {
        let mut names = OwnNames::new(&[], None);
        names.machine = "box".to_owned();
        for host in ["10.0.0.1:8080", "[2001:db8::1]:8080", "localhost:8080", "Box:8080", "box.local"] {
            assert!(names.contain(host, false), "{host}");
        }
        for host in ["evil.example.org:8080", "box.example.org", "10.0.0.1.example.org", ".local", ""] {
            assert!(!names.contain(host, false), "{host}");
        }
    }

    #[test]
    fn the_names_of_the_certificate_are_its_own() {
        let names = vec!["learn.example.org".to_owned(), "*.school.example".to_owned()];
        let certificate = rcgen::generate_simple_self_signed(names).unwrap().cert.der().clone();
        let names = OwnNames::new(&[], Some(certificate));
        assert!(
            names.contain("Learn.example.org:8443", false) && names.contain("room1.school.example", false)
        );
        assert!(!names.contain("example.org", false) && !names.contain("evil.example.org", false));
    }

    #[test]
    fn names_that_are_listed_are_the_only_ones() {
        let names = OwnNames::new(&["Learn.example.org".to_owned()], None);
        assert!(names.contain("learn.example.org", true) && names.contain("LEARN.EXAMPLE.ORG:443", true));
        assert!(!names.contain("127.0.0.1:8080", true) && !names.contain("localhost", true));
    }
}
