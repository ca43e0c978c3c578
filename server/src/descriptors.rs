//! File descriptors: how many the process may have, and how many a full server needs.

use dactyl_config::Server as Limits;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors of one session beside its connection: those of its pipeline.
const OF_A_SESSION: u64 = 8;
/// Descriptors of a server without clients: standard streams, listeners, event queue, connections of operators, and files
/// that are open for a moment.
const OF_THE_PROCESS: u64 = 128;

/// Raises the number of descriptors that this process may have to the most that it may ask for, and returns it; `None` if
/// there is no limit. The shells' usual limit of 1024 is there for programs that call `select`.
pub fn raise_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!(%error, "the limit of file descriptors cannot be raised"),
        }
    }
    limit.current
}

/// What does not fit, and the cure; `None` if every session and connection of `limits` fits into `available` descriptors.
pub fn shortage(limits: &Limits, available: Option<u64>) -> Option<String> {
    let available = available?;
    let (sessions, connections) = (u64::from(limits.max_sessions), u64::from(limits.max_connections));
    let needed = OF_THE_PROCESS + connections + sessions * OF_A_SESSION;
    (needed > available).then(|| {
        format!(
            "{connections} connections (server.max_connections) of which {sessions} are sessions \
             (server.max_sessions) take up to {needed} file descriptors, and this process may have {available}: \
             raise its hard limit (ulimit -Hn, or LimitNOFILE= of its unit), or lower the two"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_do_not_fit_into_the_descriptors_are_told_with_the_cure() {
        let limits = Limits { max_sessions: 10_000, ..dactyl_config::Config::builtin().server };
        let shortage = shortage(&limits, Some(1024)).unwrap();
        assert!(shortage.contains("server.max_sessions") && shortage.contains("1024"), "{shortage}");
        assert_eq!(super::shortage(&limits, Some(1 << 20)), None);
        assert_eq!(super::shortage(&limits, None), None);
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        assert_eq!(raise_limit(), getrlimit(Resource::Nofile).maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, getrlimit(Resource::Nofile).maximum);
    }
}
