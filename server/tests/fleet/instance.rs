//! The servers, each a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Numbers, classifier};

/// Ports that are the same on all servers, as in `deploy/`.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub clients: u16,
    pub admin: u16,
    pub agent: u16,
}

/// Three servers that differ in their address only.
pub struct Fleet {
    pub instances: Vec<Instance>,
    pub ports: Ports,
    pub folder: TempDir,
}

/// One server, which may run or not.
pub struct Instance {
    address: Ipv4Addr,
    ports: Ports,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
    _folder: Option<TempDir>,
}

/// A server that gets a tenth of the processor, until this is dropped.
pub struct Slowed {
    until: Option<mpsc::Sender<()>>,
    pacing: Option<JoinHandle<()>>,
}

impl Drop for Slowed {
    fn drop(&mut self) {
        drop(self.until.take());
        // A panic there is told by what the test then finds.
        let _ = self.pacing.take().map(JoinHandle::join);
    }
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Ports that are free on every address.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until the last one is found, so that they differ.
    let held = [(); COUNT].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

impl Ports {
    fn free() -> Self {
        let [clients, admin, agent] = free_ports();
        Self { clients, admin, agent }
    }
}

impl Fleet {
    /// Starts them all, and waits until they listen. `settings`, each `key=value`, come on top of `deploy/dactyl.toml`.
    pub fn start(numbers: Numbers, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports::free();
        let mut instances: Vec<Instance> = (11..14)
            .map(|last| {
                Instance::new(Ipv4Addr::new(127, 0, 0, last), ports, folder.path(), numbers, settings)
            })
            .collect();
        // All at once: each takes a while to load and warm its networks.
        for instance in &mut instances {
            instance.spawn();
        }
        for instance in &mut instances {
            instance.listens();
        }
        Self { instances, ports, folder }
    }

    /// Clients that the servers did not let in because they were full or at their end, since the beginning.
    pub fn refused(&self) -> usize {
        let of = |log: &str| {
            let refused =
                |line: &&str| line.contains("reason=\"stopping\"") || line.contains("reason=\"full\"");
            log.lines().filter(refused).count()
        };
        self.instances.iter().map(|instance| of(&instance.log())).sum()
    }
}

impl Instance {
    /// One without others, on any address.
    pub fn alone(numbers: Numbers, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports::free();
        let mut instance = Self::new(Ipv4Addr::LOCALHOST, ports, folder.path(), numbers, settings);
        instance._folder = Some(folder);
        instance.start();
        instance
    }

    fn new(address: Ipv4Addr, ports: Ports, folder: &Path, numbers: Numbers, settings: &[&str]) -> Self {
        let model = folder.join("constant.onnx");
        classifier::write(&model, numbers.window);
        let config = repository().join("deploy/dactyl.toml");
        let mut all: Vec<String> =
            ["serve", "--config", config.to_str().unwrap(), "--model", model.to_str().unwrap()]
                .map(str::to_owned)
                .to_vec();
        // Three servers on one machine: as little work a frame as there can be, and the balancer beside them.
        let own = [
            format!("server.listen={address}:{}", ports.clients),
            format!("admin.listen={address}:{}", ports.admin),
            format!("admin.agent_listen={address}:{}", ports.agent),
            "server.trusted_proxies=127.0.0.1".to_owned(),
            format!("letters.window={}", numbers.window),
            "letters.nothing_share=1".to_owned(),
            "smoothing.history=1".to_owned(),
            "holistic.parts=pose".to_owned(),
            "holistic.profile=fast".to_owned(),
            "feedback.min_interval_ms=0".to_owned(),
            "feedback.min_change=0".to_owned(),
        ];
        for setting in own.into_iter().chain(settings.iter().map(|&setting| setting.to_owned())) {
            all.extend(["--set".to_owned(), setting]);
        }
        let log = folder.join(format!("{address}.log"));
        Self { address, ports, arguments: all, log, process: None, _folder: None }
    }

    /// Starts it and waits until it listens.
    pub fn start(&mut self) {
        self.spawn();
        self.listens();
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dactyl"));
        command.args(&self.arguments).env_clear().stdout(Stdio::piped()).stderr(log);
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        self.process = Some(command.spawn().unwrap());
    }

    fn listens(&mut self) {
        let output = self.process.as_mut().unwrap().stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "{line:?}: {}", self.log());
    }

    /// Where clients find it.
    pub fn address(&self) -> SocketAddr {
        (self.address, self.ports.clients).into()
    }

    /// What it has logged so far, of all its processes.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, name: &str) {
        let process = self.process().to_string();
        assert!(Command::new("kill").args([name, &process]).status().unwrap().success());
    }

    /// Has it run for 10 ms in every 100, as on a machine that others use too.
    pub fn slow_down(&self) -> Slowed {
        let process = Pid::from_raw(self.process().cast_signed()).unwrap();
        let (until, dropped) = mpsc::channel::<()>();
        let pacing = thread::spawn(move || {
            let mut is_over = false;
            while !is_over {
                kill_process(process, Signal::STOP).unwrap();
                is_over = dropped.recv_timeout(Duration::from_millis(90)) != Err(RecvTimeoutError::Timeout);
                kill_process(process, Signal::CONT).unwrap();
                thread::sleep(Duration::from_millis(10));
            }
        });
        Slowed { until: Some(until), pacing: Some(pacing) }
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// The value of a metric, asked for where operators do.
    pub fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect((self.address, self.ports.admin)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
        if thread::panicking() {
            println!("log of {}:\n{}", self.address, self.log());
        }
    }
}
