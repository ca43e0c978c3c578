//! `send` against servers of every kind, and against none.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{Dir, dactyl, outcome, run};

/// A server that a test plays itself.
struct Server(tokio::net::TcpListener);

impl Server {
    async fn new() -> Self {
        Self(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn client(&self, arguments: &[&str]) -> Child {
        dactyl(["send", "--url", &format!("ws://{}/ws", self.address())])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    async fn accept(&self) -> WebSocketStream<TcpStream> {
        let (stream, _) = self.0.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    }
}

async fn receive(socket: &mut WebSocketStream<TcpStream>) -> Message {
    socket.next().await.unwrap().unwrap()
}

async fn answer(socket: &mut WebSocketStream<TcpStream>, letter: &str, probability: f64) {
    let text = json!({ "maxarg_letter": letter, "target_arg_prob": probability }).to_string();
    socket.send(Message::text(text)).await.unwrap();
}

fn frames() -> Dir {
    let dir = Dir::new();
    for name in ["10.jpg", "2.jpg", "1.jpeg"] {
        dir.file(name, name);
    }
    dir
}

/// Lines without the time that they begin with.
fn untimed(output: &str) -> Vec<&str> {
    let answers = output.lines().take_while(|line| !line.starts_with("frames sent: "));
    answers.map(|line| line.trim_start().split_once(' ').unwrap().1).collect()
}

#[test]
fn without_a_server_the_cure_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = frames();
    let (code, output, error) = run(dactyl(["send", "--url", &format!("ws://{free}/ws")]).arg(dir.path()));
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(
        error.starts_with(&format!(
            "dactyl: ws://{free}/ws can't be reached; is `dactyl serve` running at {free}?"
        )),
        "{error}"
    );
    assert!(error.contains("Connection refused"), "{error}");
}

#[test]
fn what_can_not_be_sent_is_refused_at_once() {
    let dir = Dir::new();
    let empty = dir.path().to_str().unwrap();
    for (arguments, expected) in [
        (&["send", "/nowhere/1.jpg"][..], "/nowhere/1.jpg: no such file or folder"),
        (&["send", empty], "no .jpg or .jpeg in this folder"),
        (&["send", "--fps", "0", empty], "not more than 0 and up to 1000"),
        (&["send", "--url", "https://127.0.0.1/ws", env!("CARGO_MANIFEST_DIR")], "no .jpg or .jpeg"),
        (&["send", "--json", "--binary", empty], "cannot be used with"),
        (&["send"], "PATH"),
    ] {
        let (code, _, error) = run(&mut dactyl(arguments));
        assert_eq!(code, 2, "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let file = dir.file("1.jpg", "x");
    let (code, _, error) = run(dactyl(["send", "--url", "https://127.0.0.1/ws"]).arg(file));
    assert_eq!(code, 2);
    assert!(error.contains("not of the form ws://HOST:PORT/ws"), "{error}");
}

#[tokio::test]
async fn the_letter_goes_first_then_bare_jpegs_in_natural_order() {
    let (server, dir) = (Server::new().await, frames());
    let client = server.client(&["--fps", "200", "--letter", "B", dir.path().to_str().unwrap()]);
    let mut socket = server.accept().await;
    let first: Value = serde_json::from_str(receive(&mut socket).await.to_text().unwrap()).unwrap();
    assert_eq!(first, json!({ "jpeg_blob": null, "new_letter": "B" }));
    answer(&mut socket, "", 0.0).await;
    for name in ["1.jpeg", "2.jpg", "10.jpg"] {
        assert_eq!(receive(&mut socket).await, Message::binary(name));
    }
    answer(&mut socket, "B", 0.75).await;
    answer(&mut socket, "A", 0.25).await;
    answer(&mut socket, "B", 0.5).await;
    let error = json!({ "error": { "code": "bad_jpeg", "message": "no EOI" } }).to_string();
    socket.send(Message::text(error)).await.unwrap();
    assert!(matches!(receive(&mut socket).await, Message::Close(_)));
    let (code, output, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!(code, 0, "{error}");
    assert_eq!(untimed(&output), ["- 0.000", "B 0.750", "A 0.250", "B 0.500"]);
    let summary: Vec<&str> = output.lines().skip(4).collect();
    assert!(summary[0].starts_with("frames sent: 3 in "), "{output}");
    assert_eq!(
        summary[1..],
        ["answers: 3", "errors: 1", "most frequent: B (67 %)", "mean target_arg_prob: 0.500"]
    );
    assert!(error.trim_end().ends_with("bad_jpeg: no EOI"), "{error}");
}

#[tokio::test]
async fn frames_go_as_json_when_asked_for() {
    let (server, dir) = (Server::new().await, frames());
    let client = server.client(&["--json", dir.path().join("2.jpg").to_str().unwrap()]);
    let mut socket = server.accept().await;
    let message: Value = serde_json::from_str(receive(&mut socket).await.to_text().unwrap()).unwrap();
    assert_eq!(message["new_letter"], Value::Null);
    let jpeg =
        base64::engine::general_purpose::STANDARD.decode(message["jpeg_blob"].as_str().unwrap()).unwrap();
    assert_eq!(jpeg, b"2.jpg");
    assert!(matches!(receive(&mut socket).await, Message::Close(_)));
    assert_eq!(outcome(client.wait_with_output().unwrap()).0, 0);
}

#[tokio::test]
async fn a_server_that_closes_is_a_failure_with_its_reason() {
    let (server, dir) = (Server::new().await, frames());
    let client = server.client(&["--loop", dir.path().to_str().unwrap()]);
    let mut socket = server.accept().await;
    receive(&mut socket).await;
    let frame = CloseFrame { code: CloseCode::Policy, reason: "too many bad messages".into() };
    socket.close(Some(frame)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    let (code, output, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!(code, 1);
    assert_eq!(error, "dactyl: the server ended the session: 1008 too many bad messages\n");
    assert!(output.starts_with("frames sent: "), "{output}");
}

#[tokio::test]
async fn ctrl_c_ends_a_loop_with_the_summary() {
    let (server, dir) = (Server::new().await, frames());
    let client = server.client(&["--loop", "--fps", "100", dir.path().to_str().unwrap()]);
    let mut socket = server.accept().await;
    // More than once through the folder.
    for _ in 0..4 {
        receive(&mut socket).await;
    }
    let kill = std::process::Command::new("kill").args(["-INT", &client.id().to_string()]).status().unwrap();
    assert!(kill.success());
    while !matches!(receive(&mut socket).await, Message::Close(_)) {}
    let (code, output, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.starts_with("frames sent: "), "{output}");
}

#[tokio::test]
async fn it_ends_quietly_when_nobody_reads_its_answers() {
    let (server, dir) = (Server::new().await, frames());
    let mut client = server.client(&["--loop", "--fps", "100", dir.path().to_str().unwrap()]);
    drop(client.stdout.take());
    let mut socket = server.accept().await;
    receive(&mut socket).await;
    answer(&mut socket, "A", 0.5).await;
    while let Some(Ok(_)) = socket.next().await {}
    let (code, _, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!((code, error.as_str()), (0, ""));
}

/// A pipe holds 64 KiB.
#[tokio::test]
async fn it_goes_on_when_nobody_reads_its_errors() {
    let (server, dir) = (Server::new().await, frames());
    let (unread, writer) = std::io::pipe().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(writer), Stdio::from(full)] {
        let client = dactyl(["send", "--url", &format!("ws://{}/ws", server.address())])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut socket = server.accept().await;
        let error = json!({ "error": { "code": "bad_jpeg", "message": "x".repeat(100) } }).to_string();
        for _ in 0..2000 {
            socket.send(Message::text(error.as_str())).await.unwrap();
        }
        while !matches!(receive(&mut socket).await, Message::Close(_)) {}
        let (code, output, _) = outcome(client.wait_with_output().unwrap());
        assert_eq!(code, 0, "{output}");
        assert!(output.contains("errors: 2000\n"), "{output}");
    }
    drop(unread);
}

/// Answers are what it is asked for: they are not lost in silence.
#[tokio::test]
async fn it_fails_when_its_answers_can_not_be_written() {
    let (server, dir) = (Server::new().await, frames());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let client = dactyl(["send", "--loop", "--url", &format!("ws://{}/ws", server.address())])
        .arg(dir.path())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut socket = server.accept().await;
    answer(&mut socket, "A", 0.5).await;
    while let Some(Ok(_)) = socket.next().await {}
    let (code, _, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!(code, 1);
    assert!(error.starts_with("dactyl: standard output can't be written"), "{error}");
}

#[tokio::test]
async fn a_refusal_before_the_upgrade_is_passed_on() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (server, dir) = (Server::new().await, frames());
    let client = server.client(&[dir.path().to_str().unwrap()]);
    let (mut stream, _) = server.0.accept().await.unwrap();
    let mut request = [0; 2048];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    let response = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\nall full";
    stream.write_all(response.as_bytes()).await.unwrap();
    let (code, _, error) = outcome(client.wait_with_output().unwrap());
    assert_eq!(code, 1);
    assert!(error.contains("the server answers 503 Service Unavailable: all full"), "{error}");
}
