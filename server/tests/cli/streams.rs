//! Every command with standard streams that are closed, full, or that nobody reads.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::serve::command;
use super::{Dir, dactyl, outcome, run};

/// A state in which a standard stream can be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stream {
    /// A pipe whose reader has ended.
    Gone,
    /// A full disk.
    Full,
    /// A pipe whose reader does not read.
    Unread,
    /// No stream at all, as `2>&-` makes it.
    Closed,
}

/// Lets the program that `command` starts write both its streams to one of this kind. The reader is to be kept.
fn redirect(command: &mut Command, kind: Stream) -> Option<PipeReader> {
    match kind {
        Stream::Gone | Stream::Unread => {
            let (reader, writer) = pipe().unwrap();
            command.stdout(writer.try_clone().unwrap()).stderr(writer);
            (kind == Stream::Unread).then_some(reader)
        }
        Stream::Full => {
            let full = File::options().write(true).open("/dev/full").unwrap();
            command.stdout(full.try_clone().unwrap()).stderr(full);
            None
        }
        Stream::Closed => {
            let mut closing = Command::new("sh");
            closing
                .args(["-c", "exec \"$0\" \"$@\" >&- 2>&-"])
                .arg(command.get_program())
                .args(command.get_args());
            closing.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            *command = closing;
            None
        }
    }
}

/// Waits for the end of a process, which must come.
fn code(mut process: Child) -> Option<i32> {
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(30) {
        match process.try_wait().unwrap() {
            Some(status) => return status.code(),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    process.kill().unwrap();
    panic!("it does not end");
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn is_zero_percent(message: &Message) -> bool {
    let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    message == json!({ "maxarg_letter": "", "target_arg_prob": 0.0 })
}

/// Starts a server that logs all it can to streams of this kind, and uses everything of it that logs.
async fn serves(kind: Stream) {
    let dir = Dir::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut serve = command("serve", &dir);
    serve.args(["--listen", &address, "--log-level", "trace,gstreamer=debug"]);
    let _reader = redirect(&mut serve, kind);
    let mut server = serve.spawn().unwrap();
    // Dropped with the command: only the server holds the writing end now.
    drop(serve);
    while TcpStream::connect(&address).is_err() {
        assert_eq!(server.try_wait().unwrap(), None, "it ends while it starts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/ws")).await.unwrap();
    let letter = || Message::text(json!({ "new_letter": "A" }).to_string());
    socket.send(letter()).await.unwrap();
    assert!(is_zero_percent(&socket.next().await.unwrap().unwrap()));
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    // The session that was there before still is.
    socket.send(letter()).await.unwrap();
    assert!(is_zero_percent(&socket.next().await.unwrap().unwrap()));
    let metrics = get(&address, "/metrics");
    let lost = metrics.lines().find_map(|line| line.strip_prefix("dactyl_log_lines_lost_total ")).unwrap();
    // What is closed when a program starts is /dev/null to it.
    assert_eq!(lost.parse::<u64>().unwrap() > 0, kind != Stream::Closed, "{lost} lines are lost");

    let pid = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
        panic!("the session was not closed");
    };
    assert_eq!(frame.code, CloseCode::Away);
    drop(socket);
    assert_eq!(code(server), Some(0));
}

#[tokio::test]
async fn a_server_goes_on_when_the_reader_of_its_log_has_ended() {
    serves(Stream::Gone).await;
}

#[tokio::test]
async fn a_server_goes_on_when_its_log_is_on_a_full_disk() {
    serves(Stream::Full).await;
}

#[tokio::test]
async fn a_server_goes_on_when_nobody_reads_its_log() {
    serves(Stream::Unread).await;
}

#[tokio::test]
async fn a_server_goes_on_without_standard_streams() {
    serves(Stream::Closed).await;
}

/// What ends a server is its exit code, also where it can't be said.
#[test]
fn a_server_that_can_not_start_ends_with_its_code_whatever_its_streams_are() {
    for kind in [Stream::Gone, Stream::Full, Stream::Closed] {
        let mut serve = dactyl(["serve", "--config", "/nowhere/mine.toml"]);
        let _reader = redirect(&mut serve, kind);
        let server = serve.spawn().unwrap();
        assert_eq!(code(server), Some(2), "{kind:?}");
    }
}

/// `check | head -1`.
#[test]
fn check_gives_its_verdict_when_the_reader_has_seen_enough() {
    let dir = Dir::new();
    for (arguments, expected) in [(&[][..], 0), (&["--pipeline", "nosuchpipeline"], 1)] {
        let mut check = command("check", &dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(check.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "configuration\n");
        let (code, _, error) = outcome(check.wait_with_output().unwrap());
        assert_eq!((code, error.as_str()), (expected, ""), "{arguments:?}");
    }
}

#[test]
fn check_gives_its_verdict_when_nobody_can_read_its_log() {
    let dir = Dir::new();
    for kind in [Stream::Gone, Stream::Closed] {
        let mut check = command("check", &dir);
        check.args(["--log-level", "trace"]);
        let _reader = redirect(&mut check, kind);
        assert_eq!(code(check.spawn().unwrap()), Some(0), "{kind:?}");
    }
}

/// What a command is asked for is not lost in silence.
#[test]
fn what_can_not_be_written_to_a_full_disk_is_a_failure_with_its_cause() {
    let dir = Dir::new();
    for mut printing in [dactyl(["config"]), dactyl(["models", "list"]), command("check", &dir)] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (code, _, error) = outcome(printing.stdout(full).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(code, 1, "{printing:?}: {error}");
        assert!(error.starts_with("dactyl: standard output can't be written"), "{printing:?}: {error}");
        assert!(error.contains("No space left on device"), "{printing:?}: {error}");
        // Not even that can be said.
        let _reader = redirect(&mut printing, Stream::Full);
        assert_eq!(code_of(&mut printing), Some(1), "{printing:?}");
    }
}

fn code_of(command: &mut Command) -> Option<i32> {
    code(command.spawn().unwrap())
}

#[test]
fn commands_end_quietly_when_the_reader_has_seen_enough() {
    for arguments in
        [&["config"][..], &["config", "--defaults"], &["models", "list"], &["--help"], &["config", "-h"]]
    {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let (code, _, error) =
            outcome(dactyl(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap());
        assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}");
        let mut closed = dactyl(arguments);
        let _reader = redirect(&mut closed, Stream::Closed);
        assert_eq!(run(&mut closed).0, 0, "{arguments:?}");
    }
}
