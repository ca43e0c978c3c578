//! Whether the server does its work, answered at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::load::Load;
use crate::pipeline::{self, PipelineFile};

/// How long a success, of a frame of a client or of a check, stands for the next ones.
const RECENT: Duration = Duration::from_secs(2);
/// Time for a check before the outcome of the last one is told instead: a balancer asks for an answer within a second.
const PATIENCE: Duration = Duration::from_millis(100);
/// How old that outcome may be.
const STALE: Duration = Duration::from_secs(30);

type Outcome = Result<(), String>;

/// The last check of a pipeline, and the one that runs.
pub(crate) struct Readiness {
    last: Mutex<(Instant, Outcome)>,
    running: Mutex<Option<watch::Receiver<bool>>>,
}

impl Readiness {
    /// Of a pipeline through which a frame has just gone.
    pub(crate) fn new() -> Self {
        Self { last: Mutex::new((Instant::now(), Ok(()))), running: Mutex::default() }
    }

    /// Whether frames go through the pipeline, or why not. `load` knows of those of clients.
    pub(crate) async fn look(self: &Arc<Self>, pipeline: &PipelineFile, load: &Load) -> Outcome {
        if load.has_analysed_within(RECENT) {
            return Ok(());
        }
        let (when, outcome) = self.last();
        if when.elapsed() < RECENT {
            return outcome;
        }
        let mut ended = self.check(pipeline);
        // An error means that the check itself is gone, which the outcome tells as well.
        let _ = timeout(PATIENCE, ended.wait_for(|ended| *ended)).await;
        let (when, outcome) = self.last();
        if when.elapsed() < STALE { outcome } else { Err(format!("no check has ended for {STALE:?}")) }
    }

    /// Begins a check unless one runs. It goes on and keeps its outcome also when the one who asked has gone.
    fn check(self: &Arc<Self>, pipeline: &PipelineFile) -> watch::Receiver<bool> {
        let mut running = lock(&self.running);
        if let Some(running) = &*running {
            return running.clone();
        }
        let (end, ended) = watch::channel(false);
        *running = Some(ended.clone());
        let (readiness, file) = (Arc::clone(self), pipeline.clone());
        tokio::spawn(async move {
            let outcome = match spawn_blocking(move || pipeline::probe(&file)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(format!("the check itself failed: {error}")),
            };
            if let Err(cause) = &outcome {
                tracing::error!(cause, "not ready");
            }
            *lock(&readiness.last) = (Instant::now(), outcome);
            *lock(&readiness.running) = None;
            end.send_replace(true);
        });
        ended
    }

    fn last(&self) -> (Instant, Outcome) {
        lock(&self.last).clone()
    }
}

fn lock<Value>(value: &Mutex<Value>) -> MutexGuard<'_, Value> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A pipeline that does not work, last checked so long ago with success.
    fn broken(age: Duration) -> (Arc<Readiness>, PipelineFile) {
        gst::init().unwrap();
        let text = "description = \"nothing\"\nlaunch = \"fakesrc ! fakesink\"\n";
        let readiness = Readiness::new();
        lock(&readiness.last).0 = Instant::now().checked_sub(age).unwrap();
        (Arc::new(readiness), PipelineFile::parse("broken", Path::new("broken.toml"), text).unwrap())
    }

    #[tokio::test]
    async fn a_frame_of_a_client_is_as_good_as_a_check() {
        let load = Load::default();
        load.add(&[], true);
        let (readiness, file) = broken(STALE);
        assert_eq!(readiness.look(&file, &load).await, Ok(()));
        let (readiness, file) = broken(Duration::ZERO);
        assert_eq!(readiness.look(&file, &Load::default()).await, Ok(()), "checked a moment ago");
    }

    #[tokio::test]
    async fn a_pipeline_that_broke_is_told_at_the_latest_with_the_next_question() {
        let ((readiness, file), load) = (broken(STALE / 2), Load::default());
        let told = timeout(Duration::from_secs(20), async {
            loop {
                if let Err(cause) = readiness.look(&file, &load).await {
                    return cause;
                }
                tokio::time::sleep(PATIENCE).await;
            }
        });
        let cause = told.await.unwrap();
        assert!(cause.contains("broken.toml") && cause.contains("frames"), "{cause}");
    }
}
