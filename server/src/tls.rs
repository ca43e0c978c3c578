//! TLS at the server's own socket, for pages that need a secure context where no proxy gives one.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dactyl_config::Kind;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the server speaks TLS with.
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The server's own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// The server's own certificate.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }
}

/// Reads certificate and key; `None` if none are configured.
///
/// # Errors
///
/// When a file cannot be found or read, or the key is not the certificate's.
pub fn load(tls: &dactyl_config::Tls) -> Result<Option<Tls>> {
    if tls.certificate.is_empty() {
        return Ok(None);
    }
    let path = dactyl_config::find(&tls.certificate, Kind::File).context("tls.certificate")?;
    let chain = CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("tls.certificate: {} is no certificate chain in PEM", path.display()))?;
    if chain.is_empty() {
        bail!("tls.certificate: {} holds no certificate in PEM", path.display());
    }
    let path = dactyl_config::find(&tls.key, Kind::File).context("tls.key")?;
    let key = PrivateKeyDer::from_pem_file(&path)
        .with_context(|| format!("tls.key: {} is no private key in PEM", path.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .context("tls.certificate and tls.key do not go together")?;
    // A WebSocket's upgrade is one of HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), chain }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_are_missing_no_pem_or_of_another_key_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let [own, other] =
            [0, 1].map(|_| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        let chain = file("chain.pem", &own.cert.pem());
        let key = file("key.pem", &own.signing_key.serialize_pem());
        let other_key = file("other.pem", &other.signing_key.serialize_pem());
        let text = file("text.pem", "hello");
        let missing = folder.path().join("missing.pem").display().to_string();
        let load = |certificate: &str, key: &str| {
            load(&dactyl_config::Tls { certificate: certificate.to_owned(), key: key.to_owned() })
                .map(|tls| tls.is_some())
                .map_err(|error| format!("{error:#}"))
        };
        assert_eq!(load("", ""), Ok(false));
        assert_eq!(load(&chain, &key), Ok(true));
        for (certificate, key, cause) in [
            (&missing, &key, "tls.certificate: no file"),
            (&text, &key, "holds no certificate in PEM"),
            (&chain, &missing, "tls.key: no file"),
            (&chain, &text, "no private key in PEM"),
            (&chain, &other_key, "tls.certificate and tls.key do not go together"),
        ] {
            let error = load(certificate, key).unwrap_err();
            assert!(error.contains(cause), "{error}");
        }
    }
}
