//! A server of its own for every test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dactyl::{Ending, Listeners, Reloads};
use dactyl_config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

/// A server in this process, on a free port.
pub struct Server {
    pub address: SocketAddr,
    /// Where operators ask, if not there.
    pub admin: Option<SocketAddr>,
    /// Where HAProxy's agent-check asks, if it may.
    pub agent: Option<SocketAddr>,
    stop: Option<oneshot::Sender<Ending>>,
    /// What a reload reads.
    config: Arc<Mutex<Config>>,
    ask: mpsc::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// The built-in configuration with every result answered, so that tests count answers, as many frames a second as a
    /// test likes to send, and all the time that it takes until it reads the answers. Nothing looks for hands alone: most
    /// pictures of tests show nobody, and then take little more than half of the time.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// As [`Server::start`], changed by `edit`.
    pub async fn start_with(edit: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::builtin();
        config.server.listen = "127.0.0.1:0".to_owned();
        config.server.max_fps = 1000;
        config.server.slow_client_timeout_s = 3600;
        config.feedback.min_interval_ms = 0;
        config.feedback.min_change = 0.0;
        config.holistic.hands_alone = false;
        edit(&mut config);
        dactyl_config::install(config.clone());
        let read = Arc::new(Mutex::new(config.clone()));
        let prepared = spawn_blocking(move || dactyl::Server::prepare(Arc::new(config))).await;
        let listening = prepared.expect("no panic").expect("it starts").bind().await.expect("free ports");
        let sockets = listening.sockets();
        let address = first(&sockets.clients);
        let (admin, agent) = (sockets.admin.as_ref().map(first), sockets.agent.as_ref().map(first));
        let (stop, stopped) = oneshot::channel();
        let (ask, asked) = mpsc::channel(1);
        let reloads = {
            let read = Arc::clone(&read);
            Reloads::new(asked, move || Ok(read.lock().expect("no panic").clone()))
        };
        let listening = listening.with_reloads(reloads);
        let task = tokio::spawn(listening.run(async { stopped.await.unwrap_or(Ending::Now) }));
        Self { address, admin, agent, stop: Some(stop), config: read, ask, task }
    }

    /// Has the configuration read anew, changed by `edit` if it is taken, and waits for the outcome.
    pub async fn reload(&mut self, edit: impl FnOnce(&mut Config)) {
        let running = self.config.lock().expect("no panic").clone();
        let mut changed = running.clone();
        edit(&mut changed);
        *self.config.lock().expect("no panic") = changed;
        let failed = "dactyl_reloads_total{result=\"failed\"}";
        let (before, failures) = (self.metric("dactyl_reloads_total").await, self.metric(failed).await);
        self.ask.send(()).await.expect("the server runs");
        self.wait_for_metric("dactyl_reloads_total", |now| now > before).await;
        if self.metric(failed).await > failures {
            *self.config.lock().expect("no panic") = running;
        }
    }

    /// Asks the server to stop and waits for its end.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let ended = tokio::time::timeout(Duration::from_secs(5), self.task).await;
        ended.expect("the server ends within 5 s").expect("no panic").expect("no error");
    }

    /// Asks the server to drain.
    pub fn drain(&mut self) {
        self.stop.take().expect("it was not asked before").send(Ending::Drain).expect("the server runs");
    }

    /// Waits for the end that was asked for.
    pub async fn ended(self, within: Duration) {
        let ended = tokio::time::timeout(within, self.task).await;
        ended.expect("the server ends in time").expect("no panic").expect("no error");
    }

    /// Status and body of a GET request.
    pub async fn get(&self, path: &str) -> (u16, String) {
        get(self.address, path).await
    }

    /// The value of a metric by its full name, labels included; sums over labels where `name` has none.
    pub async fn metric(&self, name: &str) -> f64 {
        let (status, body) = get(self.admin.unwrap_or(self.address), "/metrics").await;
        assert_eq!(status, 200);
        let values: Vec<f64> = body
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(key, _)| *key == name || (!name.contains('{') && key.split('{').next() == Some(name)))
            .filter_map(|(_, value)| value.parse().ok())
            .collect();
        assert!(!values.is_empty(), "no metric {name} in:\n{body}");
        values.iter().sum()
    }

    /// Waits until a metric has a value; fails after ten seconds.
    pub async fn wait_for_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        let mut value = f64::NAN;
        for _ in 0..2000 {
            value = self.metric(name).await;
            if wanted(value) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{name} stays {value}");
    }
}

fn first(listeners: &Listeners) -> SocketAddr {
    listeners.addresses().expect("bound")[0]
}

/// Status and body of a GET request to that address; 0 from a server that has no place for the connection.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut socket = TcpStream::connect(address).await.expect("the server listens");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A connection that is reset after its answer is still an answer.
    let read = socket.read_to_end(&mut answer).await;
    if answer.is_empty() {
        return (0, format!("{read:?}"));
    }
    let answer = String::from_utf8(answer).expect("text");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

/// The head of the answer to a request of these lines.
pub async fn head(address: SocketAddr, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a whole head"));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer");
    String::from_utf8(head).expect("text")
}

/// Resident memory of this process, in bytes.
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("resident pages");
    pages * 4096
}
