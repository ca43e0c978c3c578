//! The opening handshake, and HTTP around it, as clients and proxies differ in it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::Client;
use crate::server::Server;

/// The key of RFC 6455, section 1.3, and what a server answers to it.
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13";

/// Sends a request of these lines and gives the head of the answer, with the connection behind it.
async fn ask(server: &Server, lines: &[&str]) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let request = format!("{}\r\n\r\n", lines.join("\r\n"));
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a whole head"));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer");
    (String::from_utf8(head).expect("text"), stream)
}

/// As [`ask`] for `/ws` by HTTP/1.1.
async fn open(server: &Server, headers: &[&str]) -> (String, TcpStream) {
    let host = format!("Host: {}", server.address);
    ask(server, &[&["GET /ws HTTP/1.1", &host], headers].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_several_lines_or_beside_other_entries_opens_a_websocket() {
    let server = Server::start().await;
    for lines in [
        &["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"][..],
        &["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
        &["connection: upgrade", "upgrade: WebSocket"],
        &["CONNECTION:UPGRADE", "UPGRADE:WEBSOCKET"],
        &[
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c, websocket",
            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        ],
        &["Connection: Upgrade", "Upgrade: h2c", "Upgrade:\t websocket \t"],
        &["Connection: ,upgrade,", "Upgrade: , websocket"],
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Extensions: permessage-deflate"],
    ] {
        let (head, mut stream) = open(&server, &[lines, &[KEY, VERSION]].concat()).await;
        assert!(head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT), "{lines:?}: {head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{lines:?}: {head}");
        // A masked message, answered with the payload of a reset.
        let letter = br#"{"new_letter":"A"}"#;
        let message = [&[0x81, 0x80 + letter.len() as u8, 0, 0, 0, 0], &letter[..]].concat();
        stream.write_all(&message).await.expect("sent");
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer[0], 0x81, "{lines:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subprotocol_is_found_in_several_lines() {
    let server = Server::start().await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", KEY, VERSION];
    for (lines, chosen) in [
        (&["Sec-WebSocket-Protocol: other, dactyl.v1"][..], true),
        (&["Sec-WebSocket-Protocol: other", "Sec-WebSocket-Protocol: dactyl.v1"], true),
        (&["Sec-WebSocket-Protocol: other"], false),
        (&[], false),
    ] {
        let (head, _) = open(&server, &[&upgrade[..], lines].concat()).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{lines:?}: {head}");
        assert_eq!(head.contains("\r\nsec-websocket-protocol: dactyl.v1\r\n"), chosen, "{lines:?}: {head}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_426_says_what_to_upgrade_to() {
    let server = Server::start().await;
    let host = format!("Host: {}", server.address);
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", KEY];
    let old = ["GET /ws HTTP/1.0", &host, "Connection: Upgrade", "Upgrade: websocket", KEY, VERSION];
    for (lines, version) in [
        (&["GET /ws HTTP/1.1", &host][..], false),
        (&["HEAD /ws HTTP/1.1", &host], false),
        (&["GET /ws HTTP/1.0"], false),
        (&old, false),
        (&["GET /ws HTTP/1.1", &host, "Upgrade: websocket", KEY, VERSION], false),
        (&["GET /ws HTTP/1.1", &host, "Connection: Upgrade", "Upgrade: h2c", KEY, VERSION], false),
        (&["GET /ws HTTP/1.1", &host, "Connection: close"], false),
        (&[&["GET /ws HTTP/1.1", &host], &upgrade[..]].concat(), true),
        (&[&["GET /ws HTTP/1.1", &host, "Sec-WebSocket-Version: 8"], &upgrade[..]].concat(), true),
        (&[&["GET /ws HTTP/1.1", &host, "Sec-WebSocket-Version: 130"], &upgrade[..]].concat(), true),
    ] {
        let (head, _) = ask(&server, lines).await;
        assert!(head.split(' ').nth(1) == Some("426"), "{lines:?}: {head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{lines:?}: {head}");
        assert!(head.contains("\r\nconnection: upgrade"), "{lines:?}: {head}");
        assert_eq!(head.contains("\r\nsec-websocket-version: 13\r\n"), version, "{lines:?}: {head}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_without_one_good_key_is_refused_with_400() {
    let server = Server::start().await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", VERSION];
    for keys in [
        &[][..],
        &[KEY, KEY],
        &["Sec-WebSocket-Key:"],
        &["Sec-WebSocket-Key: x"],
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBvZiAyNCBieXRl"],
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="],
    ] {
        let (head, _) = open(&server, &[&upgrade[..], keys].concat()).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{keys:?}: {head}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let server = Server::start().await;
    let host = format!("Host: {}", server.address);
    for (lines, status) in [
        (&["GET /healthz HTTP/1.1", &host][..], "200"),
        (&["HEAD /healthz HTTP/1.1", &host], "200"),
        (&["GET /healthz HTTP/1.0"], "200"),
        (&["GET http://localhost/healthz HTTP/1.1", "Host: localhost"], "200"),
        (&["GET /healthz HTTP/1.1"], "400"),
        (&["GET /healthz HTTP/1.1", &host, "Host: evil.example.org"], "400"),
        (&["GET /healthz HTTP/1.0", &host, "Host: evil.example.org"], "400"),
        (&["POST /healthz HTTP/1.1", &host, "Content-Length: 0"], "405"),
    ] {
        let (head, _) = ask(&server, lines).await;
        assert_eq!(head.split(' ').nth(1), Some(status), "{lines:?}: {head}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf_8_closes_the_socket_with_1007() {
    let server = Server::start().await;
    let text = OpCode::Data(Data::Text);
    let jpeg_as_text = Frame::message(vec![0xff, 0xd8, 0xff, 0xe0], text, true);
    let begun = Frame::message(vec![b'{', 0xc3], text, false);
    let cut_within_a_character = Frame::message(Vec::new(), OpCode::Data(Data::Continue), true);
    for frames in [vec![jpeg_as_text], vec![begun, cut_within_a_character]] {
        let mut client = Client::connect(&server).await;
        for frame in frames.clone() {
            client.send(Message::Frame(frame)).await;
        }
        assert_eq!(u16::from(client.closed().await.code), 1007, "{frames:?}");
    }
    // What is no WebSocket at all is still another thing.
    let mut client = Client::connect(&server).await;
    let mut reserved = Frame::message(b"{}".to_vec(), text, true);
    reserved.header_mut().rsv1 = true;
    client.send(Message::Frame(reserved)).await;
    assert_eq!(u16::from(client.closed().await.code), 1002);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packaged_app_whose_pages_are_files_can_be_allowed() {
    let file = [("Origin", "file://")];
    let server = Server::start().await;
    let error = Client::connect_with(&server, "", &file).await.map(drop).expect_err("not listed");
    assert!(error.to_string().contains("403"), "{error}");
    server.stop().await;

    let server = Server::start_with(|config| {
        config.server.allowed_origins = vec!["file://".to_owned()];
    })
    .await;
    Client::connect_with(&server, "", &file).await.expect("listed");
    for origin in ["null", "http://file", "file://elsewhere"] {
        let error =
            Client::connect_with(&server, "", &[("Origin", origin)]).await.map(drop).expect_err(origin);
        assert!(error.to_string().contains("403"), "{origin}: {error}");
    }
    server.stop().await;
}
