//! Who may help with a frame.

/// Threads that may be idle. The landmarks are the same with and without their help.
pub trait Helpers: Sync {
    /// Does both, at the same time if somebody is idle, else one after the other.
    fn join<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B);

    /// Does `one`, and `extra` at the same time if somebody is idle, else not at all.
    fn join_if_idle<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        extra: impl FnOnce() -> B + Send,
    ) -> (A, Option<B>);
}

/// Nobody: the thread that calls does everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Helpers for Alone {
    fn join<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        (one(), other())
    }

    fn join_if_idle<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        _extra: impl FnOnce() -> B + Send,
    ) -> (A, Option<B>) {
        (one(), None)
    }
}
