//! What a service manager hears, on a socket as systemd has it.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, path::Path};

use super::Dir;
use super::serve::{Server, command, exit_code, signal};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The other end of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(socket)
    }

    /// The next message in that time.
    fn hears(&self, time: Duration) -> Option<String> {
        let begin = Instant::now();
        let mut message = [0; 512];
        while begin.elapsed() < time {
            match self.0.recv(&mut message) {
                Ok(length) => return Some(String::from_utf8(message[..length].to_vec()).unwrap()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        None
    }

    /// The next message that is no sign of life.
    fn hears_news(&self) -> String {
        loop {
            let message = self.hears(PATIENCE).unwrap();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }
}

#[test]
fn a_service_manager_hears_that_the_server_listens_reloads_and_ends() {
    let dir = Dir::new();
    let socket = dir.path().join("notify");
    let manager = Manager::new(&socket);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let message = manager.hears(PATIENCE).unwrap();
        // At once: nothing is started that needs the server before it is there.
        TcpStream::connect(address).unwrap();
        (manager, message)
    });
    let mut serve = command("serve", &dir);
    serve.args(["--listen", &address.to_string()]).env("NOTIFY_SOCKET", &socket);
    let mut server = Server::spawn(serve.stderr(Stdio::piped()));
    let (manager, message) = heard.join().unwrap();
    assert_eq!(message, "READY=1\n");
    // Without WATCHDOG_USEC there is no sign of life.
    assert_eq!(manager.hears(Duration::from_secs(1)), None);

    signal(&server, "-HUP");
    let message = manager.hears_news();
    let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.strip_suffix('\n'));
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)), "{message}");
    assert_eq!(manager.hears_news(), "READY=1\n");
    signal(&server, "-TERM");
    assert_eq!(manager.hears_news(), "STOPPING=1\n");
    assert_eq!(exit_code(&mut server), Some(0));
}

/// Each picture is written into a folder; without that nothing is analysed any more.
const WRITES: &str = "\
description = \"As recognise, and keeps what it sees\"
launch = \"\"\"
appsrc name=frames ! tee name=pictures
pictures. ! queue ! jpegdec ! videoconvert ! holistic-keypoints ! lstm-classifier ! feedback-throttle format=json
  ! appsink name=feedback
pictures. ! queue ! multifilesink location=FOLDER/%d.jpg async=false
\"\"\"
";

#[test]
fn the_watchdog_hears_nothing_from_a_server_that_analyses_nothing() {
    let dir = Dir::new();
    let socket = dir.path().join("notify");
    let manager = Manager::new(&socket);
    let kept = dir.path().join("kept");
    fs::create_dir(&kept).unwrap();
    dir.file("pipelines/recognise.toml", WRITES.replace("FOLDER", kept.to_str().unwrap()));
    let mut serve = command("serve", &dir);
    serve.args(["--listen", "127.0.0.1:0", "--pipelines"]).arg(dir.path().join("pipelines"));
    // There is no other pipeline in that folder.
    serve.env("DACTYL_PIPELINE__ALLOWED", "");
    serve.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "1000000");
    let mut server = Server::spawn(serve.stderr(Stdio::piped()));
    assert_eq!(manager.hears_news(), "READY=1\n");
    for _ in 0..8 {
        assert_eq!(manager.hears(Duration::from_secs(20)).unwrap(), "WATCHDOG=1\n");
    }
    fs::remove_dir_all(&kept).unwrap();
    let begin = Instant::now();
    while manager.hears(Duration::from_secs(3)).is_some() {
        assert!(begin.elapsed() < PATIENCE, "it goes on");
    }
    fs::create_dir(&kept).unwrap();
    assert_eq!(manager.hears(PATIENCE).unwrap(), "WATCHDOG=1\n");
    let log = server.end();
    assert!(log.contains("the watchdog is not told"), "{log}");
}
