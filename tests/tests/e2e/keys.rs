//! Who may come: keys, tokens, what they allow, and that they are told to nobody.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use dactyl_config::{Config, JwtAlgorithm};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite;

use crate::client::Client;
use crate::server::{self, Server};

/// A secret that tokens are signed with.
const SECRET: &str = "a secret of 32 bytes, no shorter";

/// A file of keys and one of a secret.
pub struct Files(TempDir);

impl Files {
    /// Each key with what follows its hash.
    pub fn new(keys: &[(&str, &str)]) -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        files.write(keys);
        std::fs::write(files.path("secret"), format!("{SECRET}\n")).expect("written");
        files
    }

    /// Other keys in the same file, named as they are.
    pub fn write(&self, keys: &[(&str, &str)]) {
        let mut text = String::new();
        for (key, rest) in keys {
            let hash: String = Sha256::digest(key).iter().fold(String::new(), |mut digits, byte| {
                write!(digits, "{byte:02x}").expect("a string takes all");
                digits
            });
            write!(text, "[keys.{key}]\nsha256 = \"{hash}\"\n{rest}\n").expect("a string takes all");
        }
        std::fs::write(self.path("keys.toml"), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The file of keys.
    pub fn keys_file(&self) -> PathBuf {
        self.path("keys.toml")
    }

    /// Lets in who has one of the keys.
    pub fn ask_for_keys(&self, config: &mut Config) {
        config.auth.keys_file = self.keys_file().display().to_string();
    }

    /// Lets in who has a token.
    fn ask_for_tokens(&self, config: &mut Config) {
        config.auth.jwt_key_file = self.path("secret").display().to_string();
        config.auth.jwt_algorithm = JwtAlgorithm::Hs256;
    }
}

fn token(claims: &Value) -> String {
    signed_with(SECRET.as_bytes(), claims)
}

fn signed_with(secret: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret).expect("a secret");
    encode(&Header::default(), claims, &key).expect("signed")
}

/// Status and body of a handshake that is refused.
async fn refusal(server: &Server, query: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    match Client::connect_with(server, query, headers).await {
        Ok(_) => panic!("let in with {query:?} and {headers:?}"),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            if response.status() == 401 {
                assert_eq!(response.headers()["www-authenticate"], "Bearer");
            }
            (response.status().as_u16(), body.into_owned())
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lets_in_wherever_it_stands_and_nothing_else_does() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    for (query, headers) in [
        ("", &[("Authorization", "Bearer open-sesame")][..]),
        ("", &[("Sec-WebSocket-Protocol", "dactyl.v1, bearer.open-sesame")]),
        ("?key=open-sesame&extras=top", &[]),
    ] {
        let mut client = Client::connect_with(&server, query, headers).await.expect("let in");
        client.send_letter("A").await;
        client.expect_reset().await;
    }
    let (status, body) = refusal(&server, "", &[]).await;
    assert!(status == 401 && body.contains("Authorization: Bearer") && body.contains("?key="), "{body}");
    for (query, headers) in [
        ("", &[("Authorization", "Bearer open-sesam")][..]),
        ("", &[("Authorization", "Basic open-sesame")]),
        ("", &[("Sec-WebSocket-Protocol", "dactyl.v1, bearer.")]),
        ("?key=", &[]),
        ("?key=a.b.c", &[]),
    ] {
        let (status, body) = refusal(&server, query, headers).await;
        assert!(status == 401 && !body.contains("sesam"), "{query} {headers:?}: {body}");
    }
    assert_eq!(server.metric("dactyl_refusals_total{reason=\"key\"}").await, 6.0);
    server.stop().await;
}

/// A browser ends a connection whose server chose none of the subprotocols; the secret one must not come back.
#[tokio::test(flavor = "multi_thread")]
async fn the_subprotocol_that_is_answered_is_never_the_key() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    for (offered, chosen) in [
        ("dactyl.v1, bearer.open-sesame", Some("dactyl.v1")),
        ("bearer.open-sesame, dactyl.v1", Some("dactyl.v1")),
        ("bearer.open-sesame", None),
    ] {
        let head = server::head(
            server.address,
            &[
                "GET /ws HTTP/1.1",
                &format!("Host: {}", server.address),
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                &format!("Sec-WebSocket-Protocol: {offered}"),
            ],
        )
        .await;
        let answered = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("sesame"), "{offered}: {head}");
        assert_eq!(answered, chosen, "{offered}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_the_page_need_no_key_and_info_does() {
    let files = Files::new(&[("open-sesame", ""), ("narrow", "pipelines = [\"landmarks\"]")]);
    let server = Server::start_with(|config| {
        files.ask_for_keys(config);
        config.pipeline.allowed = vec!["landmarks".to_owned()];
    })
    .await;
    for path in ["/", "/web/client.js", "/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.get(path).await.0, 200, "{path}");
    }
    let refused = "dactyl_refusals_total{reason=\"key\"}";
    let before = server.metric(refused).await;
    let (status, body) = server.get("/info").await;
    assert!(status == 401 && body.contains("Authorization: Bearer"), "{body}");
    assert_eq!(server.metric(refused).await, before + 1.0, "a page that stops there is seen in the metrics");
    let info = |key: &'static str| {
        let server = &server;
        async move {
            let (status, body) = server.get(&format!("/info?key={key}")).await;
            assert_eq!(status, 200, "{body}");
            serde_json::from_str::<Value>(&body).expect("JSON")
        }
    };
    let wide = info("open-sesame").await;
    assert_eq!(wide["pipeline"], "recognise");
    assert_eq!(wide["pipelines"].as_object().expect("a map").len(), 2);
    let narrow = info("narrow").await;
    assert_eq!(narrow["pipeline"], "landmarks");
    assert_eq!(narrow["pipelines"].as_object().expect("a map").keys().collect::<Vec<_>>(), ["landmarks"]);
    server.stop().await;
}

/// Why a WebSocket was refused is asked with a header that browsers ask about first.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_may_ask_with_its_key_why_it_was_refused() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let host = format!("Host: {}", server.address);
    let origin = "Origin: https://learn.example.org";
    let head = server::head(server.address, &["OPTIONS /ws HTTP/1.1", &host, origin]).await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
    assert!(head.contains("access-control-allow-headers: Authorization\r\n"), "{head}");
    assert!(head.contains("access-control-allow-origin: https://learn.example.org\r\n"), "{head}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_runs_the_pipelines_that_it_names_and_no_other() {
    let files = Files::new(&[("narrow", "pipelines = [\"landmarks\"]"), ("wide", "")]);
    let server = Server::start_with(|config| {
        files.ask_for_keys(config);
        config.pipeline.allowed = vec!["landmarks".to_owned()];
    })
    .await;
    let (status, body) = refusal(&server, "?pipeline=recognise&key=narrow", &[]).await;
    assert!(status == 400 && body.contains("there are: landmarks\n"), "{body}");
    // It gets its own without asking for it.
    let mut client = Client::connect_to(&server, "?key=narrow").await.expect("let in");
    client.send_frame(&[0xFF, 0xD8]).await;
    assert_eq!(client.expect_error().await, "wrong_kind");
    let mut client = Client::connect_to(&server, "?key=wide").await.expect("let in");
    client.send_frame(&[0xFF, 0xD8]).await;
    assert_eq!(client.expect_error().await, "bad_jpeg");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_count_by_key_and_without_one_by_address() {
    let files = Files::new(&[("two", "max_sessions = 2"), ("usual", "")]);
    let server = Server::start_with(|config| {
        files.ask_for_keys(config);
        config.server.max_sessions_per_client = 1;
    })
    .await;
    let mut open = Vec::new();
    for key in ["two", "two", "usual"] {
        open.push(Client::connect_to(&server, &format!("?key={key}")).await.expect("let in"));
    }
    for key in ["two", "usual"] {
        let (status, body) = refusal(&server, &format!("?key={key}"), &[]).await;
        assert!(status == 503 && body.contains("max_sessions of the key"), "{body}");
    }
    assert_eq!(server.metric("dactyl_refusals_total{reason=\"sessions_of_client\"}").await, 2.0);
    drop(open);
    server.stop().await;

    let server = Server::start_with(|config| config.server.max_sessions_per_client = 1).await;
    let _first = Client::connect(&server).await;
    // Where nobody asks for keys they are nothing to count by.
    assert_eq!(refusal(&server, "?key=two", &[]).await.0, 503);
    server.stop().await;
}

/// Frames of two sessions of one client that come in one moment: how many are refused because of those before them.
async fn refused_of_forty(server: &Server, query: &str) -> usize {
    let picture = include_bytes!("../../../server/src/pipeline/warm_up.jpg");
    let query = format!("{query}extras=ended");
    let mut refused = 0;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect_to(server, &query).await.expect("let in");
        for _ in 0..20 {
            client.send_frame(picture).await;
        }
        let mut ended = 0;
        while ended < 20 {
            let answer = client.answer().await;
            if answer["error"]["code"] == "too_fast" {
                let message = answer["error"]["message"].as_str().expect("a text");
                assert!(message.contains("server.max_fps_per_client"), "{message}");
                refused += 1;
            }
            ended += answer["ended"].as_array().map_or(0, Vec::len);
        }
        open.push(client);
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_count_by_key_and_without_one_by_address() {
    let files = Files::new(&[("slow", "max_fps = 5"), ("usual", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    // A second's worth may come at once, and some more while the others are analysed.
    let refused = refused_of_forty(&server, "?key=slow&").await;
    assert!((10..=35).contains(&refused), "{refused}");
    assert_eq!(refused_of_forty(&server, "?key=usual&").await, 0);
    server.stop().await;

    let server = Server::start_with(|config| config.server.max_fps_per_client = 5).await;
    let refused = refused_of_forty(&server, "?").await;
    assert!((10..=35).contains(&refused), "{refused}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_until_it_ends_and_its_session_no_longer() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| {
        files.ask_for_tokens(config);
        config.server.max_sessions_per_client = 1;
    })
    .await;
    let now = get_current_timestamp();
    // Ended 8 s ago, which a difference of the clocks may explain; 2 to 3 s of that are left.
    let ending = token(&json!({"exp": now - 8, "sub": "ada"}));
    let mut client = Client::connect_to(&server, &format!("?key={ending}")).await.expect("let in");
    let lasting = token(&json!({"exp": now + 600, "sub": "ada"}));
    assert_eq!(refusal(&server, &format!("?key={lasting}"), &[]).await.0, 503, "ada has a session");
    let other = token(&json!({"exp": now + 600, "sub": "grace", "dactyl": {"pipelines": ["recognise"]}}));
    let _other = Client::connect_to(&server, &format!("?key={other}")).await.expect("let in");
    client.send_letter("A").await;
    client.expect_reset().await;
    let close = client.closed().await;
    assert_eq!((u16::from(close.code), close.reason.contains("new one")), (3000, true), "{close}");
    let again = async {
        while Client::connect_to(&server, &format!("?key={lasting}")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("ada's place is free");
    let (status, body) = refusal(&server, &format!("?key={ending}"), &[]).await;
    assert!(status == 401 && body.contains("(exp)"), "{body}");
    let forged = signed_with(&[7; 32], &json!({"exp": now + 600, "sub": "ada"}));
    assert_eq!(refusal(&server, &format!("?key={forged}"), &[]).await.0, 401);
    server.stop().await;
}
