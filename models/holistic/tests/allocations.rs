//! Heap memory that a tracker takes for each frame once it follows a person. A binary of its own, as it replaces the
//! allocator.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "figures and skips belong into the test's output")]

#[path = "tracker/reference.rs"]
#[allow(dead_code, reason = "other tests read more of a clip")]
mod reference;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use dactyl_holistic::{Cancel, Networks, Options, Parts, Tracker};

use reference::{Clip, HandAlone, Picture};

/// Most allocations in one frame with both hands and the face.
const MOST_ALLOCATIONS: usize = 160;
/// Most bytes allocated in one frame, less than any picture or input tensor has: none of them is copied to the heap.
const MOST_BYTES: usize = 32 * 1024;

/// The system's allocator, counting what all threads ask for.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as demanded of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as demanded of the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as demanded of the caller.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as demanded of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most allocations and most bytes in one frame of these pictures.
fn most(pictures: impl Iterator<Item = Picture>) -> (usize, usize) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
    let networks = Networks::load(&models, Parts::ALL).expect("set-up fetches the networks: run make test");
    let mut tracker = Tracker::new(networks, Options::default());
    let cancel = Cancel::new();
    let (mut most_allocations, mut most_bytes) = (0, 0);
    for (index, picture) in pictures.enumerate() {
        let frame = picture.frame();
        let time = (index as i64 + 1) * 33_333;
        let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        tracker.process(&frame, time, &cancel).expect("not cancelled");
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before.0;
        let bytes = BYTES.load(Ordering::Relaxed) - before.1;
        // The first frames fill what later ones use again.
        if index >= 2 {
            most_allocations = most_allocations.max(allocations);
            most_bytes = most_bytes.max(bytes);
        }
    }
    (most_allocations, most_bytes)
}

/// One test, as all threads of the process are counted.
#[test]
fn a_followed_person_and_a_hand_alone_take_little_memory_a_frame() {
    let person = Clip::drawn();
    let hand = HandAlone::recorded().swap_remove(1);
    let measured = [
        ("a person", most((0..person.len()).map(|index| person.picture(index)))),
        ("a hand alone", most((0..hand.frames.len()).map(|index| hand.picture(index)))),
    ];
    for (what, (allocations, bytes)) in measured {
        println!("{what}: at most {allocations} allocations and {bytes} bytes a frame");
        assert!(allocations > 0, "{what}: nothing was counted");
        assert!(allocations <= MOST_ALLOCATIONS, "{what}: {allocations} allocations in a frame");
        assert!(bytes <= MOST_BYTES, "{what}: {bytes} bytes allocated in a frame");
    }
}
