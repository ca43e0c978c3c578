//! Clients that go, stay silent, are too many, or come from a foreign page.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::{Server, resident};

/// Waits until no session is left and gives the time that took.
async fn freed(server: &Server) -> Duration {
    let started = Instant::now();
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 0.0).await;
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_reset_connection_frees_its_pipeline_within_a_second() {
    let server = Server::start().await;
    let mut closing = Client::connect(&server).await;
    closing.send_frame(&gradient(320, 240, 1)).await;
    closing.socket.close(None).await.expect("closed");
    assert!(freed(&server).await < Duration::from_secs(1));

    let mut vanishing = Client::connect(&server).await;
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 1.0).await;
    for seed in 0..20 {
        vanishing.send_frame(&gradient(320, 240, seed)).await;
    }
    if let tokio_tungstenite::MaybeTlsStream::Plain(stream) = vanishing.socket.get_ref() {
        // Dropping the socket now resets the connection instead of closing it.
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("set");
    }
    drop(vanishing);
    assert!(freed(&server).await < Duration::from_secs(1));
    server.wait_for_metric("dactyl_frames_in_flight", |frames| frames == 0.0).await;
    server.stop().await;
}

/// Opens a WebSocket by hand, so that nothing answers pings, and keeps it open.
pub async fn silent_client(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_pinged_and_freed() {
    let server = Server::start_with(|config| {
        config.server.ping_interval_s = 1;
        config.server.ping_timeout_s = 2;
    })
    .await;
    let stream = silent_client(&server).await;
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 1.0).await;
    let took = freed(&server).await;
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(4), "freed after {took:?}");
    drop(stream);
    server.stop().await;
}

/// A client that reads nothing while the server has more to say than the system's buffers take.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_closed() {
    let server = Server::start_with(|config| {
        config.server.slow_client_timeout_s = 1;
        config.server.max_bad_messages = 1_000_000;
    })
    .await;
    let mut stream = silent_client(&server).await;
    // Masked texts: each is answered with an error or a reset's payload, and none of that is read.
    let bad_message = [0x81, 0x81, 0, 0, 0, 0, b'x'];
    let letter = [&[0x81, 0x80 + 18, 0, 0, 0, 0], br#"{"new_letter":"A"}"#.as_slice()].concat();
    let messages = [bad_message.repeat(10), letter].concat().repeat(1000);
    let before = resident();
    let flood = async { while stream.write_all(&messages).await.is_ok() {} };
    let ended = tokio::time::timeout(Duration::from_secs(30), flood).await;
    assert!(ended.is_ok(), "the server still reads");
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes more are resident");
    freed(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_closed_with_1000() {
    let server = Server::start_with(|config| config.server.idle_timeout_s = 1).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(u16::from(client.closed().await.code), 1000);
    freed(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_is_refused_before_the_upgrade() {
    let server = Server::start_with(|config| config.server.max_sessions = 1).await;
    let first = Client::connect(&server).await;
    let error = Client::connect_to(&server, "").await.map(drop).expect_err("full");
    assert!(error.to_string().contains("503"), "{error}");
    drop(first);
    freed(&server).await;
    Client::connect(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_get_tells_a_browser_why_its_websocket_was_refused() {
    let server = Server::start_with(|config| config.server.max_sessions = 1).await;
    assert_eq!(server.get("/ws").await, (426, "connect with a WebSocket\n".to_owned()));
    let (status, cause) = server.get("/ws?extras=nothing").await;
    assert!(status == 400 && cause.contains("unknown extra"), "{status} {cause}");
    let _first = Client::connect(&server).await;
    let (status, cause) = server.get("/ws").await;
    assert!(status == 503 && cause.contains("all 1 sessions are taken"), "{status} {cause}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_own_origin_and_listed_ones_may_connect() {
    let server = Server::start_with(|config| {
        config.server.allowed_origins = vec!["https://learn.example.org".to_owned()];
    })
    .await;
    let own = format!("http://{}", server.address);
    for origin in [own.as_str(), "https://learn.example.org"] {
        Client::connect_with(&server, "", &[("Origin", origin)]).await.expect("allowed");
    }
    for origin in ["https://elsewhere.example.org", "http://127.0.0.1:1", "null"] {
        let error =
            Client::connect_with(&server, "", &[("Origin", origin)]).await.map(drop).expect_err("foreign");
        assert!(error.to_string().contains("403"), "{origin}: {error}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_closes_every_socket_with_1001() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for seed in 0..3 {
        let mut client = Client::connect(&server).await;
        client.send_frame(&gradient(320, 240, seed)).await;
        clients.push(client);
    }
    let stopped = tokio::spawn(server.stop());
    for client in &mut clients {
        assert_eq!(u16::from(client.closed().await.code), 1001);
    }
    stopped.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_that_come_and_go_leave_nothing_behind() {
    let server = Server::start().await;
    for round in 0..30 {
        let mut client = Client::connect(&server).await;
        client.send_frame(&gradient(160, 120, round)).await;
        if round % 3 == 0 {
            client.send_letter("A").await;
        }
    }
    freed(&server).await;
    server.wait_for_metric("dactyl_frames_in_flight", |frames| frames == 0.0).await;
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux").count();
    assert!(threads < 60, "{threads} threads are left");
    server.stop().await;
}
