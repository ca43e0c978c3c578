//! A rolling buffer that cannot be read before it is full.

use std::collections::VecDeque;

/// The last `capacity` items pushed.
#[derive(Debug, Clone)]
pub struct Window<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Window<T> {
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

    /// The items, oldest first, in one slice. `None` until the window is full.
    pub fn full(&mut self) -> Option<&[T]> {
        (self.items.len() == self.capacity).then(|| &*self.items.make_contiguous())
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
                match window.full() {
                    None => prop_assert!(seen < capacity),
                    Some(items) => prop_assert_eq!(items, &pushed[seen - capacity..seen]),
                }
            }
            window.clear();
            prop_assert_eq!(window.fill(), (0, capacity));
            prop_assert!(window.full().is_none());
        }
    }
}
