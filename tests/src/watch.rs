//! Runs a program as on the machine of a user who has just come, watched by strace, and tells what it asked of the
//! network and what it left behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Calls by which a program asks of the network, opens a file or makes one.
const CALLS: &str = "trace=network,open,openat,creat,mkdir,mkdirat";
/// Files that a resolver reads before it asks.
const RESOLVER: [&str; 2] = ["\"/etc/resolv.conf\"", "\"/etc/hosts\""];

/// One watched run.
#[derive(Debug)]
pub struct Watch(TempDir);

impl Watch {
    /// A new user without files.
    ///
    /// # Panics
    /// Without a place for temporary folders.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self(folder)
    }

    /// The user's home, which is the working directory too.
    pub fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn calls(&self) -> PathBuf {
        self.0.path().join("calls")
    }

    /// strace, to which the program and its arguments are added. No variable of this machine is passed on, `CI` least of
    /// all: libraries behave where they find it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("strace");
        command.args(["--follow-forks", "--seccomp-bpf", "--quiet=all", "-e", CALLS, "-o"]).arg(self.calls());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
        // GStreamer's own record of its plugins is no concern of this project.
        command.env("GST_REGISTRY", self.0.path().join("registry.bin"));
        command.env("HOME", self.home()).env("TMPDIR", self.home()).current_dir(self.home());
        command
    }

    /// Process of the program, once it has made a call.
    ///
    /// # Panics
    /// Before that.
    pub fn process(&self) -> u32 {
        let calls = fs::read_to_string(self.calls()).unwrap();
        calls.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// # Panics
    /// If the program did not load ONNX Runtime, which is what could tell somebody, or one that can look a host up; if it
    /// asked for an address, connected to one, sent to one, left anything in the home folder or wrote outside of it.
    pub fn assert_kept_to_itself(&self) {
        let calls = fs::read_to_string(self.calls()).unwrap();
        let runtime = calls
            .lines()
            .filter(|call| !call.contains("ENOENT"))
            .filter_map(|call| call.split('"').nth(1))
            .find(|path| path.ends_with("libonnxruntime.so"))
            .unwrap_or_else(|| panic!("ONNX Runtime was not loaded:\n{calls}"));
        // It would do so only ten seconds later.
        assert!(!names_a_resolver(&fs::read(runtime).unwrap()), "{runtime} can look hosts up");
        let outside: Vec<&str> =
            calls.lines().filter(|call| asks(call) || self.writes_elsewhere(call)).collect();
        let left = files(&self.home());
        assert!(outside.is_empty() && left.is_empty(), "asked or written: {outside:#?}\nleft: {left:#?}");
    }

    fn writes_elsewhere(&self, call: &str) -> bool {
        let makes =
            ["O_WRONLY", "O_RDWR", "O_CREAT", " creat(", " mkdir"].iter().any(|word| call.contains(word));
        let path = call.split('"').nth(1).unwrap_or_default();
        let own = [self.0.path(), Path::new("/dev"), Path::new("/proc")];
        makes && path.starts_with('/') && !own.iter().any(|folder| Path::new(path).starts_with(folder))
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a call asks another process of this or another machine.
fn asks(call: &str) -> bool {
    let sends = [" connect(", " sendto(", " sendmsg(", " sendmmsg("].iter().any(|name| call.contains(name));
    sends && call.contains("sa_family=") || RESOLVER.iter().any(|file| call.contains(file))
}

/// Whether a library calls the C library's resolver.
fn names_a_resolver(library: &[u8]) -> bool {
    let name = b"\0getaddrinfo\0";
    library.windows(name.len()).any(|bytes| bytes == name)
}

/// Every file and folder under `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check that finds nothing where there is something would pass everywhere.
    #[test]
    fn a_program_that_asks_or_leaves_something_is_found_out() {
        let asked = "7 connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"192.0.2.1\")}, 16) = 0";
        assert!(asks(asked));
        assert!(asks("7 openat(AT_FDCWD, \"/etc/resolv.conf\", O_RDONLY|O_CLOEXEC) = 5"));
        assert!(!asks(
            "7 accept4(9, {sa_family=AF_INET, sin_port=htons(8)}, [128 => 16], SOCK_CLOEXEC) = 10"
        ));
        assert!(!asks("7 sendto(10, \"HTTP/1.1 200 OK\", 15, MSG_NOSIGNAL, NULL, 0) = 15"));
        let watch = Watch::new();
        assert!(
            watch
                .writes_elsewhere("7 openat(AT_FDCWD, \"/elsewhere/.cache/id\", O_WRONLY|O_CREAT, 0666) = 5")
        );
        assert!(watch.writes_elsewhere("7 mkdir(\"/elsewhere/.cache\", 0777) = 0"));
        assert!(!watch.writes_elsewhere("7 openat(AT_FDCWD, \"/dev/null\", O_RDWR) = 5"));
        assert!(!watch.writes_elsewhere("7 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 5"));
        assert!(names_a_resolver(b"\0socket\0getaddrinfo\0"));
        let status = watch.command().args(["sh", "-c", "mkdir -p .cache/a; : >.cache/a/b"]).status().unwrap();
        assert!(status.success());
        assert_eq!(files(&watch.home()).len(), 3);
    }
}
