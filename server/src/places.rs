//! Places: at most so many of something at a time, and at most so many of one client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A number of places, shared by its clones.
#[derive(Clone)]
pub(crate) struct Places {
    most: usize,
    /// 0 = as many as there are.
    most_per_client: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place, given back when dropped.
pub(crate) struct Place {
    client: Option<IpAddr>,
    taken: Arc<Mutex<Taken>>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    All,
    /// This client has as many as one may have.
    OfClient,
}

impl Places {
    /// `most` places, of which one client gets `most_per_client`, or as many as there are with 0.
    pub(crate) fn new(most: usize, most_per_client: usize) -> Self {
        Self { most, most_per_client, taken: Arc::default() }
    }

    /// A place for this client.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Place, NoPlace> {
        self.take_of(Some(client_of(address)))
    }

    /// A place that counts for no client.
    ///
    /// # Errors
    ///
    /// When all are taken.
    pub(crate) fn take_for_all(&self) -> Result<Place, NoPlace> {
        self.take_of(None)
    }

    fn take_of(&self, client: Option<IpAddr>) -> Result<Place, NoPlace> {
        let mut taken = lock(&self.taken);
        let own = client.and_then(|client| taken.by_client.get(&client)).copied().unwrap_or_default();
        if self.most_per_client > 0 && own >= self.most_per_client {
            return Err(NoPlace::OfClient);
        }
        if taken.all >= self.most {
            return Err(NoPlace::All);
        }
        taken.all += 1;
        if let Some(client) = client {
            taken.by_client.insert(client, own + 1);
        }
        Ok(Place { client, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(client) = self.client
            && let Some(own) = taken.by_client.get_mut(&client)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is behind an address: of IPv6 its network of 64 bits, within which a client has as many addresses as it likes.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let places = Places::new(2, 0);
        let first = places.take(address("192.0.2.1"));
        let second = places.take(address("192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(places.take(address("192.0.2.2")).err(), Some(NoPlace::All));
        drop(first);
        assert!(places.take(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn one_client_gets_its_share_and_the_others_theirs() {
        let places = Places::new(10, 1);
        let first = places.take(address("192.0.2.1"));
        assert!(first.is_ok());
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(places.take(address(same)).err(), Some(NoPlace::OfClient), "{same}");
        }
        let other = places.take(address("2001:db8::1"));
        assert!(other.is_ok());
        assert!(places.take(address("2001:db8::2:3")).is_err(), "of the same network");
        assert!(places.take(address("2001:db8:0:1::1")).is_ok());
        drop(first);
        assert!(places.take(address("192.0.2.1")).is_ok());
        drop(other);
        assert!(lock(&places.taken).by_client.is_empty(), "clients that have gone are forgotten");
    }
}
