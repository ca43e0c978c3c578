//! A server under measurement: ours or the rival's, in a process of its own on a free port.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::analysis::last_lines;
use crate::contender::Contender;
use crate::metrics::Reading;

/// A server that needs longer than this is as good as none.
const START_TIME: Duration = Duration::from_secs(60);
/// How often a server that starts is asked whether it is there.
const POLL: Duration = Duration::from_millis(5);
/// Ours as the rival is set below: every result is answered. No session is refused for sending too fast.
const ANSWER_ALL: [(&str, &str); 5] = [
    ("feedback.min_interval_ms", "0"),
    ("feedback.min_change", "0"),
    ("server.max_fps", "1000"),
    ("server.max_sessions", "1000"),
    ("log.level", "warn"),
];

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    dactyl: PathBuf,
    rival: Option<RivalServer>,
    /// Logs, and the rival's classifier.
    scratch: TempDir,
}

#[derive(Debug)]
struct RivalServer {
    python: PathBuf,
    folder: PathBuf,
    classifier: PathBuf,
}

impl Programs {
    /// `rival` = the Python interpreter and the folder of the rival's server, whose classifier is written anew.
    ///
    /// # Errors
    /// A program that is not there or does not work.
    pub fn find(dactyl: &Path, rival: Option<(&Path, &Path)>) -> Result<Self> {
        if !dactyl.is_file() {
            bail!("{} is not there; build it with `make bench` or name it with --dactyl", dactyl.display());
        }
        let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
        let rival = rival
            .map(|(python, folder)| -> Result<RivalServer> {
                let classifier = scratch.path().join("lstm.onnx");
                let output = Command::new(python)
                    .arg(folder.join("mklstm.py"))
                    .arg(&classifier)
                    .output()
                    .with_context(|| format!("--rival-python {} does not start", python.display()))?;
                if !classifier.is_file() {
                    bail!(
                        "mklstm.py in --rival-server {} made no classifier:\n{}",
                        folder.display(),
                        last_lines(&output.stderr)
                    );
                }
                Ok(RivalServer { python: python.to_owned(), folder: folder.to_owned(), classifier })
            })
            .transpose()?;
        Ok(Self { dactyl: dactyl.to_owned(), rival, scratch })
    }

    /// Whether the rival's server can be started.
    pub const fn has_rival(&self) -> bool {
        self.rival.is_some()
    }

    fn command(&self, contender: &Contender, settings: &[(&str, &str)], port: u16) -> Result<Command> {
        match contender {
            Contender::Ours { settings: profile, .. } => {
                let mut command = Command::new(&self.dactyl);
                command.arg("serve").arg("--listen").arg(format!("127.0.0.1:{port}"));
                let profile = profile.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                for (key, value) in ANSWER_ALL.into_iter().chain(profile).chain(settings.iter().copied()) {
                    command.arg("--set").arg(format!("{key}={value}"));
                }
                Ok(command)
            }
            Contender::Rival => {
                let rival = self.rival.as_ref().context("no --rival-server was given")?;
                let mut command = Command::new(&rival.python);
                command
                    .args(["-m", "uvicorn", "server:app", "--log-level", "warning", "--port"])
                    .arg(port.to_string())
                    .current_dir(&rival.folder)
                    .env("PEER_MODEL", &rival.classifier)
                    .env("PEER_INTERVAL", "0")
                    .env("PEER_CHANGE", "-1");
                Ok(command)
            }
        }
    }
}

/// A server that runs until this is dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process until it was ready.
    pub start_time: Duration,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server and waits until it is ready: ours when `/readyz` answers 200, the rival's when it accepts a
    /// connection, as it has no such route. `settings` are keys and values of ours.
    ///
    /// # Errors
    /// A server that ends or is not ready in time, with what it said last.
    pub fn start(programs: &Programs, contender: &Contender, settings: &[(&str, &str)]) -> Result<Self> {
        let port = free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = programs.scratch.path().join(format!("{port}.log"));
        let file = File::create(&log).context("the server's log can't be written")?;
        let mut command = programs.command(contender, settings, port)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let begin = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} does not start", command.get_program().to_string_lossy()))?;
        let mut server = Self { address, start_time: Duration::ZERO, child, log };
        let is_ready = || match contender {
            Contender::Ours { .. } => get(address, "/readyz").is_ok(),
            Contender::Rival => TcpStream::connect(address).is_ok(),
        };
        while !is_ready() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server of {contender} ended at its start ({status}):\n{}", server.said());
            }
            if begin.elapsed() > START_TIME {
                bail!("the server of {contender} is not ready after {START_TIME:?}:\n{}", server.said());
            }
            thread::sleep(POLL);
        }
        server.start_time = begin.elapsed();
        Ok(server)
    }

    /// Resident memory in MB (10^6 bytes).
    ///
    /// # Errors
    /// A server that has ended.
    pub fn resident_mb(&self) -> Result<f64> {
        Ok(self.status("VmRSS:")? * 1024.0 / 1e6)
    }

    /// Threads.
    ///
    /// # Errors
    /// A server that has ended.
    pub fn threads(&self) -> Result<f64> {
        self.status("Threads:")
    }

    fn status(&self, name: &str) -> Result<f64> {
        fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .ok()
            .and_then(|status| number_of(&status, name))
            .with_context(|| format!("the server has ended:\n{}", self.said()))
    }

    /// What `/metrics` of ours says.
    ///
    /// # Errors
    /// A server that does not answer.
    pub fn metrics(&self) -> Result<Reading> {
        let text = get(self.address, "/metrics").with_context(|| format!("no metrics:\n{}", self.said()))?;
        Ok(Reading::parse(&text))
    }

    fn said(&self) -> String {
        last_lines(&fs::read(&self.log).unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> Result<String, ureq::Error> {
    ureq::get(format!("http://{address}{path}")).call()?.body_mut().read_to_string()
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// The number of a line such as `VmRSS:     1234 kB` of `/proc/PID/status`.
fn number_of(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        let status = "Name:\tdactyl\nVmPeak:\t 9 kB\nVmRSS:\t  2048 kB\nThreads:\t7\n";
        assert_eq!((number_of(status, "VmRSS:"), number_of(status, "Threads:")), (Some(2048.0), Some(7.0)));
        // A process that has ended and was not waited for has no memory.
        assert_eq!(number_of("Name:\tdactyl\nState:\tZ (zombie)\n", "VmRSS:"), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Programs::find(Path::new("none/dactyl"), None).unwrap_err().to_string();
        assert!(error.contains("none/dactyl") && error.contains("--dactyl"), "{error}");
    }
}
