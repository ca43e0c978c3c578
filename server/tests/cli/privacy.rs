//! Nothing leaves the machine, whatever libraries would like to tell.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use dactyl_tests::watch::Watch;

use super::outcome;

const DACTYL: &str = env!("CARGO_BIN_EXE_dactyl");

#[test]
fn a_server_asks_nobody_and_leaves_nothing_in_the_home_folder() {
    let watch = Watch::new();
    let mut server = watch
        .command()
        .args([DACTYL, "serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split('/').nth(2).unwrap_or_default().to_owned();
    let mut socket = TcpStream::connect(&address).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let ended = Command::new("kill").args(["-TERM", &watch.process().to_string()]).status().unwrap();
    assert!(ended.success());
    let (code, _, log) = outcome(server.wait_with_output().unwrap());
    assert_eq!(code, 0, "{log}");
    watch.assert_kept_to_itself();
}

#[test]
fn check_asks_nobody_and_leaves_nothing_in_the_home_folder() {
    let watch = Watch::new();
    let (code, output, error) = outcome(watch.command().args([DACTYL, "check"]).output().unwrap());
    assert_eq!(code, 0, "{output}{error}");
    watch.assert_kept_to_itself();
}
