//! The balancers, with the files of `deploy/`.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use crate::instance::{Fleet, free_ports, repository};
use crate::learner::{self, Socket};
use crate::tls::{self, Certificate, Trusted};
use crate::until;

/// Debian puts both where only root looks for programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where learners connect to, and what they trust.
#[derive(Clone)]
pub struct Door {
    pub address: SocketAddr,
    pub trusted: Trusted,
    /// The key that is shown there; empty = none.
    pub key: &'static str,
}

/// A process that ends with the test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // Killed outright, nginx would leave its workers behind. It may have ended by itself.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// HAProxy with `deploy/haproxy.cfg`.
pub struct Haproxy {
    door: Door,
    statistics: PathBuf,
    _process: Ending,
}

impl Haproxy {
    pub async fn start(fleet: &Fleet) -> Self {
        let certificate = tls::certificate(fleet.folder.path());
        let [port] = free_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let statistics = fleet.folder.path().join("haproxy.sock");
        let own = |what: &str| {
            let output = Command::new("id").args([what, "--name"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let mut command = Command::new("haproxy");
        command
            .arg("-db")
            .arg("-f")
            .arg(repository().join("deploy/haproxy.cfg"))
            .env("PATH", PATH)
            .env("DACTYL_USER", own("--user"))
            .env("DACTYL_GROUP", own("--group"))
            .env("DACTYL_STATS", &statistics)
            .env("DACTYL_BIND", address.to_string())
            .env("DACTYL_CERTIFICATE", &certificate.both)
            .env("DACTYL_PORT", fleet.ports.clients.to_string())
            .env("DACTYL_AGENT_PORT", fleet.ports.agent.to_string())
            .stdout(Stdio::null());
        for (number, instance) in (1..).zip(&fleet.instances) {
            command.env(format!("DACTYL_BOX_{number}"), instance.address().ip().to_string());
        }
        let process = Ending(command.spawn().unwrap());
        until("HAProxy answers", async || UnixStream::connect(&statistics).is_ok()).await;
        Self { door: Door { address, trusted: certificate.trusted, key: "" }, statistics, _process: process }
    }

    pub fn door(&self) -> &Door {
        &self.door
    }

    /// A session, or the status of the refusal and its `Retry-After`.
    pub async fn connect(&self) -> Result<Socket, (u16, Option<String>)> {
        learner::connect(&self.door).await
    }

    /// A column of a server's row in the statistics.
    fn column(&self, number: usize, column: &str) -> String {
        let mut socket = UnixStream::connect(&self.statistics).unwrap();
        socket.write_all(b"show stat\n").unwrap();
        let mut table = String::new();
        socket.read_to_string(&mut table).unwrap();
        let mut lines = table.lines();
        let head: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(',').collect();
        let at = |name: &str| head.iter().position(|other| *other == name).unwrap();
        let name = format!("box{}", number + 1);
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let row = rows.iter().find(|row| row.get(at("svname")) == Some(&name.as_str()));
        row.unwrap_or_else(|| panic!("no {name} in {table}"))[at(column)].to_owned()
    }

    /// `UP`, `DRAIN` or `DOWN`, without the reason that may follow.
    pub fn status(&self, number: usize) -> String {
        let status = self.column(number, "status").split(' ').next().unwrap().to_owned();
        // Before the agent's first answer a server has its whole weight, whatever it wants.
        let is_known = self.column(number, "agent_status") != "INI";
        if is_known { status } else { "unknown".to_owned() }
    }

    /// How many have that status.
    pub fn count(&self, status: &str) -> usize {
        (0..3).filter(|number| self.status(*number) == status).count()
    }

    /// Of 100.
    pub fn weight(&self, number: usize) -> u32 {
        self.column(number, "weight").parse().unwrap()
    }
}

/// nginx with `deploy/nginx.conf`.
pub struct Nginx {
    door: Door,
    _process: Ending,
}

impl Nginx {
    pub async fn start(fleet: &Fleet) -> Self {
        let Certificate { chain, key, trusted, .. } = tls::certificate(fleet.folder.path());
        let [port] = free_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut text = fs::read_to_string(repository().join("deploy/nginx.conf")).unwrap();
        let [chain, key] = [chain, key].map(|path| path.display().to_string());
        let pid = fleet.folder.path().join("nginx.pid").display().to_string();
        let boxes: Vec<String> = fleet.instances.iter().map(|one| one.address().to_string()).collect();
        for (from, to) in [
            ("10.0.0.11:8080", boxes[0].as_str()),
            ("10.0.0.12:8080", &boxes[1]),
            ("10.0.0.13:8080", &boxes[2]),
            ("listen 443 ssl", &format!("listen {address} ssl")),
            ("/etc/dactyl/certificate.pem", &chain),
            ("/etc/dactyl/key.pem", &key),
            ("/run/nginx.pid", &pid),
        ] {
            assert!(text.contains(from), "deploy/nginx.conf has no {from}");
            text = text.replace(from, to);
        }
        let path = fleet.folder.path().join("nginx.conf");
        fs::write(&path, text).unwrap();
        let mut command = Command::new("nginx");
        command.env("PATH", PATH).arg("-c").arg(path).args(["-e", "stderr", "-g", "daemon off;"]);
        let process = Ending(command.spawn().unwrap());
        until("nginx listens", async || TcpStream::connect(address).await.is_ok()).await;
        Self { door: Door { address, trusted, key: "" }, _process: process }
    }

    pub fn door(&self) -> &Door {
        &self.door
    }
}
