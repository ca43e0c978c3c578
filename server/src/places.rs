//! Places: at most so many of something at a time, and at most so many of one client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who counts as one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Whoever has the key of that name.
    Key(String),
    /// Whoever a token names.
    Subject(String),
    /// Whoever is behind that address: of IPv6 its network of 64 bits.
    Address(IpAddr),
}

impl Client {
    /// Who is behind an address: within a network of 64 bits of IPv6 a client has as many addresses as it likes.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            address => address,
        })
    }
}

/// How many places there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Most {
    pub(crate) all: usize,
    /// Those of one client; 0 = as many as there are.
    pub(crate) of_client: usize,
}

/// Places, shared by its clones.
#[derive(Clone, Default)]
pub(crate) struct Places {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_client: HashMap<Client, usize>,
}

/// A place, given back when dropped.
pub(crate) struct Place {
    client: Option<Client>,
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
    /// A place for this client, or one that counts for no client.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn take(&self, client: Option<Client>, most: Most) -> Result<Place, NoPlace> {
        let mut taken = lock(&self.taken);
        if taken.all >= most.all {
            return Err(NoPlace::All);
        }
        let own = client.as_ref().and_then(|client| taken.by_client.get(client)).copied().unwrap_or_default();
        if client.is_some() && most.of_client > 0 && own >= most.of_client {
            return Err(NoPlace::OfClient);
        }
        taken.all += 1;
        if let Some(client) = &client {
            taken.by_client.insert(client.clone(), own + 1);
        }
        Ok(Place { client, taken: Arc::clone(&self.taken) })
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.taken).all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(client) = &self.client
            && let Some(own) = taken.by_client.get_mut(client)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(client);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<Client> {
        Some(Client::of(text.parse().unwrap()))
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let (places, most) = (Places::default(), Most { all: 2, of_client: 0 });
        let first = places.take(address("192.0.2.1"), most);
        let second = places.take(address("192.0.2.1"), most);
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(places.take(address("192.0.2.2"), most).err(), Some(NoPlace::All));
        assert_eq!(places.take(None, most).err(), Some(NoPlace::All));
        drop(first);
        assert!(places.take(address("192.0.2.2"), most).is_ok());
        assert_eq!(places.taken(), 1);
    }

    #[test]
    fn one_client_gets_its_share_and_the_others_theirs() {
        let (places, most) = (Places::default(), Most { all: 10, of_client: 1 });
        let first = places.take(address("192.0.2.1"), most);
        assert!(first.is_ok());
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(places.take(address(same), most).err(), Some(NoPlace::OfClient), "{same}");
        }
        let other = places.take(address("2001:db8::1"), most);
        assert!(other.is_ok());
        assert!(places.take(address("2001:db8::2:3"), most).is_err(), "of the same network");
        assert!(places.take(address("2001:db8:0:1::1"), most).is_ok());
        let nobody = [places.take(None, most), places.take(None, most)];
        assert!(nobody.iter().all(Result::is_ok), "what is nobody's in particular");
        drop(first);
        assert!(places.take(address("192.0.2.1"), most).is_ok());
        drop((other, nobody));
        assert!(lock(&places.taken).by_client.is_empty(), "clients that have gone are forgotten");
    }

    #[test]
    fn a_key_counts_apart_from_the_address_that_it_comes_from_and_from_a_token_of_its_name() {
        let (places, most) = (Places::default(), Most { all: 10, of_client: 1 });
        let [key, subject] = [Client::Key("ada".to_owned()), Client::Subject("ada".to_owned())];
        let clients = [address("192.0.2.1"), Some(key.clone()), Some(subject)];
        let taken = clients.map(|client| places.take(client, most));
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(places.take(Some(key), most).err(), Some(NoPlace::OfClient));
    }
}
