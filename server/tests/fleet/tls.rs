//! A certificate for the name of the fleet, and those who trust it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The name in `deploy/`.
pub const NAME: &str = "learn.example.org";

/// A certificate in files, and what trusts it.
pub struct Certificate {
    /// The chain, in PEM.
    pub chain: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub both: PathBuf,
    /// Trusts nothing else.
    pub trusted: Trusted,
}

/// What trusts one certificate alone.
#[derive(Clone)]
pub struct Trusted(TlsConnector);

impl Trusted {
    pub async fn connect(&self, stream: tokio::net::TcpStream) -> std::io::Result<Stream> {
        self.0.connect(ServerName::try_from(NAME).unwrap(), stream).await
    }
}

/// A connection with TLS.
pub type Stream = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

/// Makes one in that folder.
pub fn certificate(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let [chain, key, both] = ["chain.pem", "key.pem", "both.pem"].map(|name| folder.join(name));
    fs::write(&chain, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::write(&both, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Certificate { chain, key, both, trusted: Trusted(TlsConnector::from(Arc::new(config))) }
}
