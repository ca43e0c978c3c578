//! One client: a socket, a pipeline of its own, and what goes between them.

mod age;
mod intake;
mod outbox;
mod outlet;
mod pace;
mod pipeline_thread;
mod rate;
mod refusals;
mod registry;
mod seen;
mod socket;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Instant, SystemTime};

use axum::extract::ws::WebSocket;
use dactyl_config::Server as Limits;
use gstdactyl::frame::FrameRecord;
use tokio::sync::{mpsc, watch};

use self::intake::Intake;
use self::outbox::Outbox;
use self::outlet::Outlet;
use self::pace::Pace;
use self::pipeline_thread::{Commands, Job};
use self::rate::{Budget, Rate};
use self::refusals::Refusals;
pub(crate) use self::registry::Registry;
use self::seen::Status;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::pipeline::Prepared;
use crate::places::{Client, Place};
use crate::protocol::{Close, Extras, Outcome, Refusal};
use crate::terms::InForce;

/// What a session is started with.
pub(crate) struct Start {
    /// Number of the session in this process, for the log.
    pub(crate) id: u64,
    /// The pipeline.
    pub(crate) prepared: Arc<Prepared>,
    /// Parameters of the pipeline that the client set.
    pub(crate) given: BTreeMap<String, String>,
    /// What the client asked for on top.
    pub(crate) extras: Extras,
    /// The limits.
    pub(crate) limits: Limits,
    /// Whose session it is, if that is known.
    pub(crate) client: Option<Client>,
    /// Frames a second of all sessions of that client together; 0 means as many as each may send.
    pub(crate) client_fps: u32,
    /// When what it was let in with is not valid any more.
    pub(crate) ends: Option<SystemTime>,
    /// The server's metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// The place among the sessions; given back when the pipeline is gone.
    pub(crate) place: Place,
    /// Bytes that came on the connection so far, whole messages or not.
    pub(crate) received: Arc<AtomicU64>,
    /// What says whether what it was let in with is still valid.
    pub(crate) in_force: Arc<InForce>,
    /// Where it is to be found as long as it is open.
    pub(crate) registry: Arc<Registry>,
    /// True when the server stops.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Held until the socket is closed and the pipeline is gone: the server waits for all of these when it stops.
    pub(crate) alive: mpsc::Sender<()>,
}

/// Serves a client until it goes or is sent away.
pub(crate) async fn run(socket: WebSocket, start: Start) {
    let Start { id, prepared, given, extras, limits, metrics, place, .. } = start;
    let Start { client, client_fps, ends, in_force, received, registry, shutdown, alive, .. } = start;
    metrics.sessions.increment(1.0);
    let open = OpenSession(Arc::clone(&metrics));
    let outbox = Arc::new(Outbox::default());
    let commands = Arc::new(Commands::default());
    let refusals = Arc::new(Refusals {
        outbox: Arc::clone(&outbox),
        metrics: Arc::clone(&metrics),
        most: limits.max_bad_messages,
        in_a_row: AtomicU32::new(0),
    });
    let ledger = {
        let refusals = Arc::clone(&refusals);
        let pace = Pace::new(client_fps);
        Ledger::new(Arc::clone(&metrics), move |record, outcome| {
            tell_end(&refusals, extras, &pace, record, outcome);
        })
    };
    let outlet = Arc::new(Outlet {
        outbox: Arc::clone(&outbox),
        commands: Arc::clone(&commands),
        metrics: Arc::clone(&metrics),
        extras,
        status: Status::default(),
    });
    let thread = {
        let (commands, prepared, closing) =
            (Arc::clone(&commands), Arc::clone(&prepared), Arc::clone(&outbox));
        let span = tracing::Span::current();
        let alive = alive.clone();
        std::thread::Builder::new().name(format!("session-{id}")).spawn(move || {
            let _entered = span.enter();
            // The client learns of it even if this thread panics; a socket that is being closed already stays so.
            let _close = CloseAtEnd(closing);
            // Given back when the pipeline is gone, whatever happens to it.
            let _place = place;
            let _open = open;
            let _alive = alive;
            let job = Job { file: prepared.file.clone(), given, post_messages: extras.needs_messages() };
            pipeline_thread::run(&job, &commands, &outlet);
        })
    };
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for a session");
        outbox.close(Close::Failed);
    }
    let age_limit = age::limit(id, limits.max_session_age_s);
    let withdrawn = |client: &Client| in_force.get().auth.has_withdrawn(client);
    let registered = registry.add(id, Arc::clone(&outbox), client, withdrawn);
    let intake = Intake {
        limits,
        metrics: Arc::clone(&metrics),
        outbox: Arc::clone(&outbox),
        refusals,
        commands: Arc::clone(&commands),
        ledger: Arc::clone(&ledger),
        prepared,
        tells_ends: extras.ended,
        frames: 0,
        rate: Rate::new(),
        letters: Rate::new(),
        decoding: Budget::new(),
        registered,
        client_fps,
        received,
    };
    // Ends the pipeline also when this future is dropped.
    let _end = EndOfSession { ledger, commands };
    socket::serve(socket, intake, &outbox, age_limit, ends, shutdown).await;
    drop(alive);
}

/// Tells the client what became of a frame, as far as it wants to know.
fn tell_end(refusals: &Refusals, extras: Extras, pace: &Pace, record: &FrameRecord, outcome: Outcome) {
    match outcome {
        Outcome::Refused => refusals.tell(&[Refusal::no_picture(record.id)]),
        Outcome::Analysed => {
            refusals.end_row();
            let rate = extras.rate.then(|| pace.next(&record.stages(), Instant::now())).flatten();
            if let Some(rate) = rate {
                refusals.outbox.rate(rate);
            }
        }
        _ => {}
    }
    if extras.ended {
        refusals.outbox.ended(record.id, outcome);
    }
}

struct OpenSession(Arc<Metrics>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.sessions.decrement(1.0);
    }
}

/// Closes the socket when dropped, unless it is being closed for another reason.
struct CloseAtEnd(Arc<Outbox>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close(Close::Failed);
    }
}

struct EndOfSession {
    ledger: Arc<Ledger>,
    commands: Arc<Commands>,
}

impl Drop for EndOfSession {
    fn drop(&mut self) {
        self.ledger.close();
        self.commands.stop();
    }
}
