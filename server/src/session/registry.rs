//! The open sessions, for whoever ends them, and for what those of one client share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::outbox::Outbox;
use super::rate::Rate;
use crate::places::Client;
use crate::protocol::Close;

/// The open sessions by their number.
#[derive(Default)]
pub(crate) struct Registry(Mutex<BTreeMap<u64, Entry>>);

struct Entry {
    outbox: Arc<Outbox>,
    /// Whose it is.
    client: Option<Client>,
    /// The frames of all sessions of that client.
    frames: Arc<Mutex<Rate>>,
    /// When its last frame or letter came.
    worked: Instant,
}

/// An open session; taken off the list when dropped.
pub(super) struct Registered {
    registry: Arc<Registry>,
    id: u64,
    frames: Arc<Mutex<Rate>>,
}

impl Registry {
    /// `is_withdrawn`: whether what a client was let in with is not valid any more, as it may be since a moment ago.
    pub(super) fn add(
        self: &Arc<Self>,
        id: u64,
        outbox: Arc<Outbox>,
        client: Option<Client>,
        is_withdrawn: impl Fn(&Client) -> bool,
    ) -> Registered {
        let mut open = self.lock();
        // Asked under the lock: whoever withdraws it from now on finds this session.
        if client.as_ref().is_some_and(is_withdrawn) {
            outbox.close(Close::KeyEnded);
        }
        let other = open.values().find(|other| client.is_some() && other.client == client);
        let frames =
            other.map_or_else(|| Arc::new(Mutex::new(Rate::new())), |other| Arc::clone(&other.frames));
        open.insert(id, Entry { outbox, client, frames: Arc::clone(&frames), worked: Instant::now() });
        Registered { registry: Arc::clone(self), id, frames }
    }

    /// Closes the sessions one after the other, the last one after `time`: those first that have been idle for longest.
    pub(crate) async fn close_all(&self, time: Duration) {
        let open = self.idle_first();
        let pause = time / u32::try_from(open.len().max(1)).unwrap_or(u32::MAX);
        for outbox in open {
            sleep(pause).await;
            outbox.close(Close::ShuttingDown);
        }
    }

    /// Closes the sessions of the clients that were let in with what is not valid any more.
    pub(crate) fn close_of(&self, is_withdrawn: impl Fn(&Client) -> bool) {
        for entry in self.lock().values() {
            if entry.client.as_ref().is_some_and(&is_withdrawn) {
                entry.outbox.close(Close::KeyEnded);
            }
        }
    }

    fn idle_first(&self) -> Vec<Arc<Outbox>> {
        let open = self.lock();
        let mut open: Vec<&Entry> = open.values().collect();
        open.sort_by_key(|entry| entry.worked);
        open.into_iter().map(|entry| Arc::clone(&entry.outbox)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// Whether another frame of this client may come, of at most so many a second in all of its sessions together.
    pub(super) fn allow_frame(&self, per_second: u32) -> bool {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).allow(per_second)
    }

    /// A frame or a letter came.
    pub(super) fn work(&self, now: Instant) {
        if let Some(entry) = self.registry.lock().get_mut(&self.id) {
            entry.worked = now;
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_session_that_has_been_idle_for_longest_is_closed_first() {
        let registry = Arc::new(Registry::default());
        let outboxes: Vec<Arc<Outbox>> = (0..3).map(|_| Arc::default()).collect();
        let open: Vec<Registered> = (0..)
            .zip(&outboxes)
            .map(|(id, outbox)| registry.add(id, Arc::clone(outbox), None, |_| false))
            .collect();
        open[0].work(Instant::now() + Duration::from_secs(1));
        let order: Vec<usize> = registry
            .idle_first()
            .iter()
            .filter_map(|outbox| outboxes.iter().position(|other| Arc::ptr_eq(other, outbox)))
            .collect();
        assert_eq!(order, [1, 2, 0]);
        drop(open);
        registry.close_all(Duration::ZERO).await;
        assert!(
            outboxes.iter().all(|outbox| outbox.ending().is_none()),
            "those that are over are not closed"
        );
    }

    #[test]
    fn the_sessions_of_one_client_share_its_frames_and_no_others() {
        let registry = Arc::new(Registry::default());
        let clients = [Some("a"), Some("a"), Some("b"), None, None]
            .map(|name| name.map(|name| Client::Key(name.into())));
        let open: Vec<Registered> = (0..)
            .zip(clients)
            .map(|(id, client)| registry.add(id, Arc::default(), client, |_| false))
            .collect();
        let allowed = |session: &Registered| (0..100).filter(|_| session.allow_frame(10)).count();
        assert_eq!(open.iter().map(allowed).collect::<Vec<_>>(), [10, 0, 10, 10, 10]);
    }

    #[test]
    fn a_session_whose_key_is_withdrawn_while_it_opens_is_closed() {
        let registry = Arc::new(Registry::default());
        let open = |name: &str| {
            let (outbox, client) = (Arc::<Outbox>::default(), Client::Key(name.to_owned()));
            let withdrawn = |client: &Client| *client == Client::Key("old".to_owned());
            let registered = registry.add(0, Arc::clone(&outbox), Some(client), withdrawn);
            (outbox, registered)
        };
        assert_eq!(open("old").0.ending(), Some(Close::KeyEnded));
        assert_eq!(open("new").0.ending(), None);
    }
}
