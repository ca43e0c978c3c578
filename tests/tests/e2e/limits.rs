//! Connections that say nothing, ask for too much, or are too many.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Client;
use crate::server::{Server, resident};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most that is sent of one message: more than the server takes.
const PIECES: usize = 15 << 20;

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("the server listens")
}

/// Connects and says something; the connection stays open.
async fn say(server: &Server, text: &str) -> TcpStream {
    let mut stream = connect(server).await;
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

/// What the server says until it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed by the server");
    // A connection that is reset is closed as well.
    let _ = read;
    String::from_utf8(answer).expect("text")
}

fn request(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_send_no_whole_request_are_closed() {
    let server = Server::start_with(|config| config.server.header_timeout_s = 1).await;
    let whole = request(server.address, "/healthz");
    let mut silent = connect(&server).await;
    let mut half = say(&server, &whole[..20]).await;
    let mut kept_alive = say(&server, &whole).await;
    assert_eq!(until_closed(&mut silent).await, "");
    until_closed(&mut half).await;
    let answer = until_closed(&mut kept_alive).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    server.wait_for_metric("dactyl_connections", |open| open == 1.0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_time_for_a_request() {
    let server = Server::start_with(|config| config.server.header_timeout_s = 1).await;
    let mut client = Client::connect(&server).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    client.send_letter("A").await;
    client.expect_reset().await;
    server.stop().await;
}

/// How many connections were refused for that reason. Those that are gone give their places back a moment later: waits until
/// there is one to ask.
async fn refused_for(server: &Server, reason: &str) -> f64 {
    let has_place = async { while server.get("/healthz").await.0 != 200 {} };
    timeout(PATIENCE, has_place).await.expect("a free place");
    server.metric(&format!("dactyl_refusals_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let server = Server::start_with(|config| {
        config.server.max_sessions = 2;
        config.server.max_connections = 16;
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(connect(&server).await);
    }
    assert_eq!(until_closed(&mut connect(&server).await).await, "");
    drop(open);
    assert!(refused_for(&server, "connections").await >= 1.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_no_more_than_its_share_of_the_connections() {
    let server = Server::start_with(|config| config.server.max_connections_per_client = 3).await;
    let _session = Client::connect(&server).await;
    let _silent = [connect(&server).await, connect(&server).await];
    assert_eq!(until_closed(&mut connect(&server).await).await, "");
    drop(_silent);
    assert!(refused_for(&server, "connections_of_client").await >= 1.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_does_not_end_takes_little_memory() {
    let server = Server::start().await;
    let mut stream = say(&server, "GET / HTTP/1.1\r\nX-Long: ").await;
    let flood = async {
        let mut sent = 0;
        while sent < 256 << 10 && stream.write_all(&[b'x'; 4096]).await.is_ok() {
            sent += 4096;
        }
        until_closed(&mut stream).await
    };
    let answer = timeout(PATIENCE, flood).await.expect("closed");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    server.stop().await;
}

/// The end waits for nobody who only might go on.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_header_does_not_hold_up_the_end() {
    let server = Server::start_with(|config| config.server.shutdown_timeout_ms = 60_000).await;
    let mut half = say(&server, "GET /healthz HTTP/1.1\r\nHost").await;
    let mut silent = connect(&server).await;
    let mut kept_alive = say(&server, &request(server.address, "/healthz")).await;
    let mut answer = [0; 12];
    kept_alive.read_exact(&mut answer).await.expect("an answer");
    // Fails after five seconds.
    server.stop().await;
    for stream in [&mut half, &mut silent, &mut kept_alive] {
        until_closed(stream).await;
    }
}

/// Messages that are never finished, of as many sessions as there may be.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_messages_take_little_memory_and_give_it_back() {
    let server = Server::start_with(|config| config.server.max_sessions = 20).await;
    let before = resident();
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = crate::connections::silent_client(&server).await;
        // Pieces of a binary message of 64 KiB each, all of them but the last.
        let sent = timeout(PATIENCE, async {
            for piece in 0..PIECES >> 16 {
                let opcode = if piece == 0 { 2 } else { 0 };
                let header = [opcode, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                stream.write_all(&header).await?;
                stream.write_all(&[7; 1 << 16]).await?;
            }
            std::io::Result::Ok(())
        });
        let _ = sent.await.expect("read or closed");
        open.push(stream);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 150 << 20, "{grown} bytes more are resident");
    drop(open);
    let given_back = async {
        while resident().saturating_sub(before) > 40 << 20 {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    timeout(Duration::from_secs(60), given_back).await.expect("memory is given back");
    server.stop().await;
}
