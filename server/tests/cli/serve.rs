//! `serve` and `check` with a small classifier and the real networks.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use dactyl_tests::classifier::WeightedSums;
use dactyl_tests::recordings::shared;

use super::{Dir, dactyl, outcome, run};

/// Frames in the classifier's window.
const WINDOW: usize = 4;

/// A classifier of A and ZEBRA that finds both equally likely.
fn classifier(dir: &Dir) -> PathBuf {
    let path = dir.path().join("even.onnx");
    WeightedSums::new(&["A", "ZEBRA"], WINDOW).write(&path);
    path
}

pub(super) fn command(name: &str, dir: &Dir) -> Command {
    let mut command = dactyl([name, "--set", &format!("letters.window={WINDOW}"), "--model"]);
    command.arg(classifier(dir));
    command
}

/// A running server. It dies with the test.
pub(super) struct Server {
    process: Child,
    pub(super) url: String,
}

impl Server {
    fn start(dir: &Dir) -> Self {
        Self::spawn(command("serve", dir).args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()))
    }

    pub(super) fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        // Closed after this line, which must not matter to the server.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("ws://")).map(str::to_owned);
        let mut server = Self { process, url: String::new() };
        server.url = url.unwrap_or_else(|| panic!("{line:?}: {}", server.end()));
        assert_eq!(line, format!("listening on {}, protocol at {}\n", server.page(), server.url));
        server
    }

    fn page(&self) -> String {
        self.url.replace("ws://", "http://").replace("/ws", "/")
    }

    /// Ends it and gives its log until then. A server that is killed may not have written all of it yet.
    pub(super) fn end(&mut self) -> String {
        signal(self, "-INT");
        exit_code(self);
        let log = self.process.stderr.take().map(|log| std::io::read_to_string(log).unwrap());
        let log = log.unwrap_or_default();
        log.lines()
            .take_while(|line| !line.contains("ending; once more ends at once"))
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// With what a cluster sets for a service of the same name, a variable with one underscore and an empty `DACTYL_CONFIG`.
#[test]
fn a_server_starts_among_the_variables_of_a_cluster_and_warns_of_its_own_that_sets_nothing() {
    let dir = Dir::new();
    let mut server = Server::spawn(
        command("serve", &dir)
            .args(["--listen", "127.0.0.1:0"])
            .env("DACTYL_CONFIG", "")
            .env("DACTYL_SERVICE_HOST", "10.0.0.11")
            .env("DACTYL_PORT", "tcp://10.0.0.11:8080")
            .env("DACTYL_PORT_8080_TCP", "tcp://10.0.0.11:8080")
            .env("DACTYL_SERVER_LISTEN", "0.0.0.0:80")
            .stderr(Stdio::piped()),
    );
    let log = server.end();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("DACTYL_")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("WARN"), "{log}");
    assert!(warnings[0].contains("DACTYL_SERVER_LISTEN sets nothing; write DACTYL_SERVER__LISTEN"), "{log}");
}

#[test]
fn a_name_is_listened_to_on_all_of_its_addresses() {
    let dir = Dir::new();
    let mut process = command("serve", &dir)
        .args(["--listen", "localhost:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _server = Server { process, url: String::new() };
    let port = line.split(['/', ',']).find_map(|word| word.rsplit_once(':')?.1.parse::<u16>().ok()).unwrap();
    for address in ("localhost", port).to_socket_addrs().unwrap() {
        match TcpStream::connect(address) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                println!("skipped: this machine has no {address}");
            }
            Err(error) => panic!("{address}: {error}; {line}"),
        }
    }
}

pub(super) fn pictures(dir: &Dir) -> PathBuf {
    let jpeg = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pipeline/warm_up.jpg")).unwrap();
    for number in 1..=8 {
        dir.file(&format!("frames/{number}.jpg"), &jpeg);
    }
    dir.path().join("frames")
}

#[test]
fn a_server_answers_its_client_and_ends_when_asked_to() {
    let dir = Dir::new();
    let mut server = Server::start(&dir);
    let frames = pictures(&dir);
    let send = |letter: &str| run(dactyl(["send", "--url", &server.url, "--letter", letter]).arg(&frames));
    let (code, output, error) = send("a");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.lines().next().unwrap().ends_with(" - 0.000"), "{output}");
    assert!(output.contains("frames sent: 8 in "), "{output}");
    let (code, _, error) = send("Q");
    assert_eq!(code, 0);
    assert!(error.contains("unknown_letter: "), "{error}");

    let pid = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let asked = Instant::now();
    let status = loop {
        match server.process.try_wait().unwrap() {
            Some(status) => break status,
            None if asked.elapsed() > Duration::from_secs(5) => panic!("still there: {}", server.end()),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(status.code(), Some(0));
    let log = server.process.stderr.take().map(|log| std::io::read_to_string(log).unwrap()).unwrap();
    assert!(log.contains("models and pipelines are ready"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}

#[test]
fn jpegs_that_are_not_decoded_are_told_by_name_and_those_after_them_are_analysed() {
    let Some(cases) = shared("cases/jpeg") else { return };
    let dir = Dir::new();
    let server = Server::start(&dir);
    let (code, output, error) =
        run(dactyl(["send", "--url", &server.url, "--letter", "A", "--fps", "5"]).arg(&cases));
    assert_eq!(code, 0, "{output}{error}");
    let refused: Vec<&str> = error.lines().collect();
    assert_eq!(refused.len(), 8, "{error}");
    for (line, sampling) in refused.iter().zip([
        "4x1,1x1,1x1",
        "4x1,2x1,2x1",
        "2x2,2x1,2x1",
        "1x2,1x2,1x2",
        "2x1,2x1,2x1",
        "2x2,1x1,1x1",
        "4x1,1x1,1x1",
        "2x1,2x1,2x1",
    ]) {
        assert!(line.contains("unsupported_jpeg: ") && line.contains(sampling), "{line}");
    }
    // Six pictures fill a window of four frames and more.
    assert!(output.contains("frames sent: 14 in "), "{output}");
    let answers = output.lines().filter(|line| line.contains(" A ") || line.contains(" ZEBRA ")).count();
    assert!(answers > 0, "{output}");
}

#[test]
fn an_address_that_is_taken_is_named_with_the_cure() {
    let dir = Dir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, output, error) =
        run(command("serve", &dir).args(["--listen", &address, "--log-level", "off"]));
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(error.starts_with(&format!("dactyl: {address} can't be taken")), "{error}");
    assert!(error.contains("--listen") && error.contains("Address already in use"), "{error}");
}

const GOOD: &str = "\
description = \"As recognise\"
launch = \"\"\"
appsrc name=frames
  ! jpegdec
  ! videoconvert
  ! holistic-keypoints
  ! lstm-classifier
  ! feedback-throttle
  ! appsink name=feedback
\"\"\"
";

#[test]
fn a_broken_pipeline_is_named_with_its_line() {
    let dir = Dir::new();
    dir.file("pipelines/recognise.toml", GOOD);
    for (name, from, to) in [
        ("element", "videoconvert", "video-convert"),
        ("link", "  ! holistic-keypoints\n", ""),
        ("package", "videoconvert", "textoverlay ! nosuchthing"),
        ("property", "jpegdec", "jpegdec speed=9"),
    ] {
        assert!(GOOD.contains(from));
        dir.file(&format!("pipelines/{name}.toml"), GOOD.replace(from, to));
    }
    let folder = dir.path().join("pipelines");
    let (code, output, _) = run(command("check", &dir).arg("--pipelines").arg(&folder));
    assert_eq!(code, 1);
    let line_of = |name: &str| {
        let start = format!("  WRONG  {}:", folder.join(format!("{name}.toml")).display());
        let line = output.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{name}: {output}")).to_owned()
    };
    assert!(line_of("element").starts_with("5: "), "{output}");
    assert!(line_of("element").contains("no element \"video-convert\". Mend the name"), "{output}");
    assert!(line_of("link").starts_with("5: could not link videoconvert"), "{output}");
    assert!(line_of("package").starts_with("5: "), "{output}");
    assert!(line_of("property").starts_with("4: "), "{output}");
    assert!(output.contains(&format!("  ok     {}", folder.join("recognise.toml").display())), "{output}");

    // The server would run only the one that is configured.
    let (code, _, error) = run(command("serve", &dir).arg("--pipelines").arg(&folder).args([
        "--pipeline",
        "property",
        "--listen",
        "127.0.0.1:0",
    ]));
    assert_eq!(code, 1);
    assert!(error.contains("property.toml:4: "), "{error}");
}

#[test]
fn a_configured_pipeline_that_does_not_exist_says_where_it_was_looked_for() {
    let dir = Dir::new();
    let (code, output, _) = run(command("check", &dir).args(["--pipeline", "mine"]));
    assert_eq!(code, 1);
    let problem = output.lines().find(|line| line.contains("WRONG  mine.toml")).unwrap();
    assert!(problem.contains("pipelines/mine.toml"), "{problem}");
}

#[test]
fn what_is_in_order_is_shown_with_its_place() {
    let dir = Dir::new();
    let (code, output, _) = run(&mut command("check", &dir));
    assert!(output.ends_with("everything is in order\n"), "{output}");
    assert_eq!(code, 0);
    let model = format!(
        "{}: 2 labels, a window of 4 frames, features holistic-1662",
        dir.path().join("even.onnx").display()
    );
    let processors =
        format!("processors that may be used: {}\n", std::thread::available_parallelism().unwrap());
    for part in [
        &processors,
        "memory that may be used: ",
        "tflite/pose_landmark.tflite",
        "libgstjpeg.so",
        "pipelines/recognise.toml",
        "pipelines/overlay.toml",
        // There are no pictures in it that could lie on their side.
        "pipelines/landmarks.toml\n",
        &model,
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn a_model_that_contradicts_the_configuration_is_refused() {
    let dir = Dir::new();
    let (code, _, error) =
        run(dactyl(["serve", "--set", "letters.labels=A,B,C", "--model"]).arg(classifier(&dir)));
    assert_eq!(code, 1);
    assert!(error.contains("even.onnx") && error.contains("labels"), "{error}");
    assert!(outcome(command("config", &dir).output().unwrap()).1.contains("even.onnx"));
}

/// Also where everything is logged that there is, the client asks for what elements post, and the letter is drawn.
#[test]
fn no_letter_and_no_frame_is_ever_logged() {
    let dir = Dir::new();
    let log = dir.path().join("log");
    let mut serve = command("serve", &dir);
    serve.args(["--log-level", "trace", "--listen", "127.0.0.1:0", "--pipeline", "overlay"]);
    // A and ZEBRA also where no hand is seen, and A is drawn.
    serve.args(["--set", "letters.nothing_share=1"]).env("GST_DEBUG", "*:7");
    let server = Server::spawn(serve.stderr(fs::File::create(&log).unwrap()));
    let frames = pictures(&dir);
    let url = format!("{}?extras=top,status,landmarks", server.url);
    let (code, output, error) =
        run(dactyl(["send", "--url", &url, "--json", "--letter", "zebra", "--fps", "4"]).arg(&frames));
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert!(output.contains("\"top\"") && output.contains("\"landmarks\""), "{output}");
    drop(server);
    let log = fs::read_to_string(log).unwrap();
    for part in ["TRACE", "letter-target event", "posting on bus element message", "Rendering text "] {
        assert!(log.contains(part), "the log is not whole: no {part:?}");
    }
    let jpeg = fs::read(frames.join("1.jpg")).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&jpeg[..30]);
    for line in log.lines() {
        let says = |word: &str| line.to_ascii_lowercase().contains(word);
        // The labels of the model, which caps list, are no secret.
        let lists_labels = line.contains("application/x-class-probabilities");
        assert!(!says("zebra") || lists_labels, "{line}");
        assert!(!says("probabilities=") && !says("landmarks=") && !says("'a'"), "{line}");
        assert!(!says("maxarg_letter") && !says("jpeg_blob") && !line.contains(&base64), "{line}");
    }
}

/// The program under limits of file descriptors of its own.
fn limited(dir: &Dir, name: &str, soft: u32, hard: u32) -> Command {
    let mut shell = dactyl([""; 0]);
    let program = shell.get_program().to_owned();
    let whole = command(name, dir);
    let environment: Vec<_> =
        shell.get_envs().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    shell = Command::new("sh");
    shell.env_clear().envs(environment).arg("-c");
    shell.arg(format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\""));
    shell.arg(program).args(whole.get_args());
    shell
}

#[test]
fn the_soft_limit_of_descriptors_is_raised_and_a_hard_one_that_is_too_low_is_told() {
    let dir = Dir::new();
    let mut server = Server::spawn(
        limited(&dir, "serve", 256, 8192).args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()),
    );
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.process.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("8192"), "{line}");
    let log = server.end();
    assert!(!log.contains("server.max_connections"), "{log}");

    let mut server = Server::spawn(
        limited(&dir, "serve", 256, 1024).args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()),
    );
    let log = server.end();
    assert!(log.contains("this process may have 1024: raise its hard limit"), "{log}");

    let (code, output, _) =
        run(limited(&dir, "check", 1024, 1024).args(["--set", "server.max_sessions=4000"]));
    assert_eq!(code, 1);
    assert!(output.contains("WRONG") && output.contains("4000 are sessions"), "{output}");
}

/// What a running server answers at first.
fn request(server: &Server, path: &str, headers: &str) -> String {
    let address = server.url.trim_start_matches("ws://").trim_end_matches("/ws");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").unwrap();
    let mut answer = [0; 1 << 16];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

pub(super) fn signal(server: &Server, name: &str) {
    let pid = server.process.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Waits for the end of a server; far longer than it takes.
pub(super) fn exit_code(server: &mut Server) -> Option<i32> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if let Some(status) = server.process.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the server goes on");
}

#[test]
fn who_is_not_let_in_is_logged_with_reason_and_address_and_a_probe_is_not() {
    let dir = Dir::new();
    let mut server = Server::start(&dir);
    for _ in 0..2 {
        assert!(request(&server, "/readyz", "").starts_with("HTTP/1.1 200"));
        // The outcome is kept for two seconds.
        std::thread::sleep(Duration::from_millis(2100));
    }
    assert!(request(&server, "/readyz", "").starts_with("HTTP/1.1 200"));
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://elsewhere.example.org\r\n";
    let answer = request(&server, "/ws", upgrade);
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("server.allowed_origins"), "{answer}");
    let log = server.end();
    let after: Vec<&str> = log.lines().skip_while(|line| !line.contains("are ready")).skip(1).collect();
    assert_eq!(after.len(), 1, "{log}");
    assert!(after[0].contains("WARN") && after[0].contains("reason=\"origin\""), "{log}");
    assert!(after[0].contains("client=127.0.0.1"), "{log}");
}

#[test]
fn ctrl_c_never_drains_and_a_second_signal_ends_a_drain_at_once() {
    let dir = Dir::new();
    let start = || {
        let drain = ["--listen", "127.0.0.1:0", "--set", "server.drain_notice_ms=600000"];
        Server::spawn(command("serve", &dir).args(drain).stderr(Stdio::piped()))
    };
    let mut server = start();
    signal(&server, "-INT");
    assert_eq!(exit_code(&mut server), Some(0));

    let mut server = start();
    signal(&server, "-TERM");
    while !request(&server, "/readyz", "").contains("503") {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(request(&server, "/healthz", "").contains("200"));
    signal(&server, "-TERM");
    assert_eq!(exit_code(&mut server), Some(130));
}

#[test]
fn a_process_that_stood_still_throws_no_client_out() {
    let dir = Dir::new();
    let limits =
        ["--listen", "127.0.0.1:0", "--set", "server.ping_interval_s=1", "--set", "server.ping_timeout_s=2"];
    let limits = limits.into_iter().chain(["--set", "server.slow_client_timeout_s=2"]);
    let mut server = Server::spawn(command("serve", &dir).args(limits).stderr(Stdio::piped()));
    let frames = pictures(&dir);
    let mut client =
        dactyl(["send", "--url", &server.url, "--loop"]).arg(&frames).stdout(Stdio::null()).spawn().unwrap();
    let sessions = || request(&server, "/metrics", "");
    let begin = Instant::now();
    while !sessions().contains("\ndactyl_sessions 1\n") {
        assert!(begin.elapsed() < Duration::from_secs(20), "no session");
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&server, "-STOP");
    std::thread::sleep(Duration::from_secs(5));
    signal(&server, "-CONT");
    std::thread::sleep(Duration::from_secs(2));
    let still_there = client.try_wait().unwrap().is_none();
    let _ = client.kill();
    let _ = client.wait();
    let log = server.end();
    assert!(still_there && !log.contains("closing"), "{log}");
}
