//! The targets of `fuzz/` with a fixed number of mutations, always the same ones. A binary of its own, as it replaces the
//! allocator.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says on what input"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::thread;

use dactyl_fuzz::{Mutations, TARGETS, target};

/// Mutations of a target.
const ROUNDS: usize = 10_000;
/// The same where each is a network that may run.
const NETWORKS: usize = 5000;
/// Bytes of memory that a check may take for each byte of its input, and those that it may always take.
const MEMORY: (usize, usize) = (256, 8 << 20);
/// What a network may always take: its feature maps and weights may be far larger than its file.
const NETWORK_MEMORY: usize = 64 << 20;

/// The system's allocator, counting what a thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let held = HELD.get() + sign * bytes.cast_signed();
    HELD.set(held);
    MOST_HELD.set(MOST_HELD.get().max(held));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as demanded of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as demanded of the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as demanded of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Says on what input a check fails.
struct Input<'a>(&'a [u8]);

impl Drop for Input<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input is b\"{}\"", self.0.escape_ascii());
        }
    }
}

/// Checks the seeds and so many mutations of them. Some must be accepted and some refused: where none is, half of a reader is
/// not tested.
fn hold(name: &str, rounds: usize, memory: usize) {
    let target = target(name);
    let (mut accepted, mut refused) = (0, 0);
    for input in (target.seeds)().into_iter().chain(Mutations::new(target).take(rounds)) {
        let input = Input(&input);
        let before = HELD.get();
        MOST_HELD.set(before);
        *if (target.check)(input.0) { &mut accepted } else { &mut refused } += 1;
        let taken = (MOST_HELD.get() - before).cast_unsigned();
        let most = MEMORY.0 * input.0.len() + memory;
        assert!(taken <= most, "{taken} bytes of memory for an input of {}", input.0.len());
    }
    assert!(accepted.min(refused) > rounds / 50, "{accepted} accepted, {refused} refused");
    println!("{accepted} accepted, {refused} refused");
}

#[test]
fn every_text_message_is_read_or_refused() {
    hold("protocol_text", ROUNDS, MEMORY.1);
}

#[test]
fn every_binary_message_is_read_or_refused() {
    hold("protocol_binary", ROUNDS, MEMORY.1);
}

#[test]
fn every_picture_is_taken_or_refused() {
    hold("jpeg", ROUNDS, MEMORY.1);
}

#[test]
fn every_network_runs_or_is_refused() {
    hold("tflite", NETWORKS, NETWORK_MEMORY);
}

#[test]
fn every_description_of_a_classifier_is_read_or_refused() {
    hold("classifier", ROUNDS, MEMORY.1);
}

#[test]
fn every_configuration_is_loaded_or_refused() {
    hold("configuration", ROUNDS, MEMORY.1);
}

#[test]
fn every_pipeline_file_is_read_or_refused() {
    hold("pipeline", ROUNDS, MEMORY.1);
}

#[test]
fn every_file_of_keys_is_read_or_refused() {
    hold("keys_file", ROUNDS, MEMORY.1);
}

#[test]
fn every_token_is_taken_or_refused_and_none_that_nobody_signed() {
    hold("token", ROUNDS, MEMORY.1);
}

#[test]
fn every_header_of_a_proxy_is_read_or_refused() {
    hold("proxy_protocol", ROUNDS, MEMORY.1);
}

#[test]
fn every_list_of_addresses_names_one_client() {
    hold("addresses", ROUNDS, MEMORY.1);
}

/// A target that `cargo fuzz` does not know is never run for long.
#[test]
fn cargo_fuzz_has_every_target_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<String> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    files.sort();
    let names = TARGETS.map(|target| target.name);
    assert_eq!(files, names);
    for name in names {
        assert!(
            include_str!("../../Cargo.toml").contains(&format!("[[bin]]\nname = \"{name}\"\n")),
            "{name}"
        );
    }
}

/// A mutation that changes nothing, or the same thing again, tests nothing.
#[test]
fn mutations_differ_from_their_seeds_and_from_each_other() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let mut mutations: Vec<Vec<u8>> = Mutations::new(target).take(100).collect();
        assert!(
            mutations.iter().filter(|mutation| !seeds.contains(mutation)).count() > 90,
            "{}",
            target.name
        );
        assert!(
            mutations.iter().eq(&Mutations::new(target).take(100).collect::<Vec<_>>()),
            "{}",
            target.name
        );
        mutations.sort();
        mutations.dedup();
        assert!(mutations.len() > 90, "{}", target.name);
    }
}
