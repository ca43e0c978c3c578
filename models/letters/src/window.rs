//! A rolling buffer that cannot be read before it holds enough.

use std::borrow::Cow;
use std::collections::VecDeque;

/// The last `capacity` items pushed.
#[derive(Debug, Clone)]
pub struct Window<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T: Clone> Window<T> {
    /// An empty window of `capacity` items; 0 is taken as 1.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { items: VecDeque::with_capacity(capacity), capacity }
    }

    /// Adds the newest item; a full window forgets its oldest one.
    pub fn push(&mut self, item: T) {
        if self.items.len() == self.capacity {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// As many items as the window can hold, oldest first; `None` while it has fewer than `least`, of which 0 is taken as 1.
    /// Where it is not full, its oldest item stands for those that are missing in front of it.
    pub fn read(&mut self, least: usize) -> Option<Cow<'_, [T]>> {
        let missing = self.capacity - self.items.len();
        if self.items.len() < least.clamp(1, self.capacity) {
            return None;
        }
        let items = &*self.items.make_contiguous();
        Some(match items {
            [oldest, ..] if missing > 0 => {
                let repeated = std::iter::repeat_n(oldest, missing);
                repeated.chain(items).cloned().collect()
            }
            _ => Cow::Borrowed(items),
        })
    }

    /// How many items it holds, and how many it can.
    pub fn fill(&self) -> (usize, usize) {
        (self.items.len(), self.capacity)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_exactly_the_newest(capacity in 1usize..40, pushed in prop::collection::vec(any::<i32>(), 0..120)) {
            let mut window = Window::new(capacity);
            for (index, item) in pushed.iter().enumerate() {
                window.push(*item);
                let seen = index + 1;
                prop_assert_eq!(window.fill(), (seen.min(capacity), capacity));
                match window.read(capacity) {
                    None => prop_assert!(seen < capacity),
                    Some(items) => prop_assert_eq!(&*items, &pushed[seen - capacity..seen]),
                }
            }
            window.clear();
            prop_assert_eq!(window.fill(), (0, capacity));
            prop_assert!(window.read(0).is_none());
        }

        #[test]
        fn the_oldest_stands_for_what_is_missing(capacity in 1usize..40, least in 0usize..50, pushed in 1usize..40) {
            let mut window = Window::new(capacity);
            (0..pushed).for_each(|item| window.push(item));
            let held: Vec<usize> = (pushed.saturating_sub(capacity)..pushed).collect();
            match window.read(least) {
                None => prop_assert!(held.len() < least.min(capacity)),
                Some(items) => {
                    prop_assert!(held.len() >= least.min(capacity));
                    let (missing, rest) = items.split_at(capacity - held.len());
                    prop_assert!(missing.iter().all(|item| *item == held[0]));
                    prop_assert_eq!(rest, held);
                }
            }
        }
    }
}
