//! What the service manager is told, as systemd's sd_notify has it: that the server listens, takes its files anew, ends, and is
//! alive. Where no `NOTIFY_SOCKET` is set nobody is told anything.

use std::future::pending;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// The server listens, or has done so again what [`reloading`] said.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The server takes its files anew; [`ready`] follows, whether they were taken or not.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager cannot be told of a reload"),
    }
}

/// The server drains or ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says again and again that the server is alive, for as long as the service manager wants to hear it: from where
/// connections are taken, so that it ends when these do, and only while `/readyz` would not say that nothing is analysed. A
/// drain is no such case.
pub(crate) async fn keep_watch(app: &App) {
    let Some(most) = sd_notify::watchdog_enabled().filter(|most| !most.is_zero()) else {
        return pending().await;
    };
    let mut tick = interval(most / 2);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match app.look().await {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(cause) => {
                tracing::error!(cause, "all is not well, so the watchdog is not told that it is");
            }
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told (NOTIFY_SOCKET)");
    }
}
