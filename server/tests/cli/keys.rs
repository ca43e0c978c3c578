//! Keys as an operator makes, gives and takes them.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::serve::{Server, command, pictures};
use super::{Dir, dactyl, outcome, run};

const KEY: &str = "5up3rs3cr3t-5up3rs3cr3t";

/// A file of that key, whose hash the command of the documentation prints.
fn keys_file(dir: &Dir) -> String {
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sum.stdin.take().unwrap().write_all(KEY.as_bytes()).unwrap();
    let (_, printed, _) = outcome(sum.wait_with_output().unwrap());
    let hash = printed.split_whitespace().next().unwrap();
    let file = dir.file("keys.toml", format!("[keys.school]\nsha256 = \"{hash}\"\n"));
    format!("auth.keys_file={}", file.display())
}

fn server_with_key(dir: &Dir, log: &str) -> Server {
    let mut serve = command("serve", dir);
    serve.args(["--listen", "127.0.0.1:0", "--log-level", log, "--set", &keys_file(dir)]);
    Server::spawn(serve.env("GST_DEBUG", "*:7").stderr(fs::File::create(dir.path().join("log")).unwrap()))
}

/// Wherever it stands in a request, taken or not, also where everything is logged that there is.
#[test]
fn a_key_is_never_logged_nor_shown() {
    let dir = Dir::new();
    let server = server_with_key(&dir, "trace");
    let frames = pictures(&dir);
    let with_parameter = |key: &str| format!("{}?extras=top&key={key}", server.url);
    let (code, output, error) = run(dactyl(["send", "--url", &with_parameter(KEY)]).arg(&frames));
    assert_eq!(code, 0, "{output}{error}");
    let by_subprotocol = format!(
        "GET /ws?key={KEY} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: dactyl.v1, bearer.{KEY}\r\nOrigin: http://elsewhere.example.org\r\n\r\n",
        host = server.url.split('/').nth(2).unwrap(),
    );
    let mut stream = std::net::TcpStream::connect(server.url.split('/').nth(2).unwrap()).unwrap();
    stream.write_all(by_subprotocol.as_bytes()).unwrap();
    drop(stream);
    // With something behind it, it is not taken.
    let wrong = format!("{KEY}x");
    let (code, output, error) = run(dactyl(["send", "--url", &with_parameter(&wrong)]).arg(&frames));
    assert_eq!(code, 1, "{output}");
    assert!(error.contains("401") && !error.contains(KEY), "{error}");
    let refused = dir.file("wrong", &wrong);
    let (code, _, error) =
        run(dactyl(["send", "--url", &server.url, "--key-file"]).arg(refused).arg(&frames));
    assert!(code == 1 && error.contains("401") && !error.contains(KEY), "{error}");
    drop(server);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    for part in ["TRACE", "key=\"school\"", "reason=\"key\""] {
        assert!(log.contains(part), "the log is not whole: no {part:?}");
    }
    let shown: Vec<&str> = log.lines().filter(|line| line.contains(KEY)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn a_client_takes_its_key_from_a_file_or_from_the_environment() {
    let dir = Dir::new();
    let mut server = server_with_key(&dir, "info");
    let frames = pictures(&dir);
    let file = dir.file("key", format!("{KEY}\n"));
    let send = || dactyl(["send", "--url", &server.url, "--letter", "A"]);
    for client in [send().arg("--key-file").arg(&file), send().env("DACTYL_KEY", KEY)] {
        let (code, output, error) = run(client.arg(&frames));
        assert_eq!((code, error.as_str()), (0, ""), "{output}");
    }
    let (code, _, error) = run(send().env("DACTYL_KEY", "").arg(&frames));
    assert!(code == 1 && error.contains("401") && error.contains("Authorization: Bearer"), "{error}");
    assert!(error.contains("--key-file FILE") && !error.contains("can't be reached"), "{error}");
    for (content, told) in [("two\nlines", "one line"), ("", "401")] {
        let file = dir.file("bad", content);
        let (_, _, error) = run(send().arg("--key-file").arg(&file).arg(&frames));
        assert!(error.contains(told), "{content:?}: {error}");
    }
    let (code, _, error) = run(send().args(["--key-file", "/nowhere/key"]).arg(&frames));
    assert!(code == 2 && error.contains("--key-file /nowhere/key: No such file"), "{error}");
    server.end();
}

#[test]
fn an_address_that_cannot_be_reached_is_shown_without_its_key() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = Dir::new();
    let frames = pictures(&dir);
    for url in [
        format!("ws://{free}/ws?key={KEY}"),
        format!("wss://{free}/ws?key={KEY}"),
        format!("ws:// ?key={KEY}"),
    ] {
        let (code, _, error) = run(dactyl(["send", "--url", &url]).arg(&frames));
        assert!(code != 0 && !error.contains(KEY), "{error}");
    }
}

#[test]
fn a_file_of_keys_that_is_wrong_and_a_server_that_lets_anybody_in_are_told() {
    let dir = Dir::new();
    let wrong = dir.file("keys.toml", "[keys.a]\nsha256 = \"7\"\n");
    let setting = format!("auth.keys_file={}", wrong.display());
    let told = format!("{}:1: keys.a: sha256 is not 64 hexadecimal digits", wrong.display());
    let (code, output, _) = run(command("check", &dir).args(["--set", &setting]));
    assert!(code == 1 && output.contains("WRONG  auth.keys_file\n") && output.contains(&told), "{output}");
    let (code, _, error) = run(command("serve", &dir).args(["--listen", "127.0.0.1:0", "--set", &setting]));
    assert!(code == 2 && error.contains(&told), "{error}");

    let (code, output, _) = run(command("check", &dir).args(["--listen", "0.0.0.0:8080"]));
    assert!(
        code == 0 && output.contains("NOTE   anybody who reaches server.listen may open sessions"),
        "{output}"
    );
    let with_keys = ["--listen", "0.0.0.0:8080", "--set", &keys_file(&dir)];
    let (code, output, _) = run(command("check", &dir).args(with_keys));
    assert!(code == 0 && !output.contains("NOTE"), "{output}");
}
