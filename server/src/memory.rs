//! Memory that loading has left behind.

/// Gives the memory that was freed back to the system: glibc keeps what lies between blocks in use, and loading networks
/// leaves tens of megabytes there.
pub fn release_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call only walks the allocator's own lists, under its locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
