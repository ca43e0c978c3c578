//! Where the log goes: standard error, in whatever state that is. A line that can't be written is lost and counted. Nobody
//! waits for it, and nothing ends because of it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PIPE_BUF;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait to be written: a burst of everything that can be logged.
const QUEUE: usize = 16_384;
/// How long a pipe that is full may stay so before lines are lost. Less than the 100 ms for which [`WorkerGuard`] waits for
/// a place in the queue, so that it always gets one.
const PATIENCE: Duration = Duration::from_millis(50);

/// Lines that found the queue full.
static NOT_QUEUED: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that could not be written, or not whole.
static NOT_WRITTEN: AtomicU64 = AtomicU64::new(0);

/// A writer for the log of this process, whose lines a thread of its own passes on to standard error. What is queued when
/// the guard is dropped is still written.
///
/// # Errors
/// When standard error can't be used at all.
pub fn open() -> io::Result<(NonBlocking, WorkerGuard)> {
    let log = Counted(Unwaiting::new(&io::stderr())?);
    let (queue, guard) = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).finish(log);
    // A second log of the process, which there is none of, would go uncounted.
    let _ = NOT_QUEUED.set(queue.error_counter());
    Ok((queue, guard))
}

/// Lines of the log that were lost since the process began.
pub fn lines_lost() -> u64 {
    let not_queued = NOT_QUEUED.get().map_or(0, ErrorCounter::dropped_lines);
    NOT_WRITTEN.load(Ordering::Relaxed) + not_queued as u64
}

/// Writes lines of text whose reader may have stopped reading: what would make the caller wait is an error.
///
/// A handle of its own: that of `std` is locked by whoever waits in it.
pub struct Unwaiting {
    out: File,
    /// Whether the last line found somebody who reads.
    is_read: bool,
    /// Whether the last line ends in its middle.
    is_cut: bool,
}

impl Unwaiting {
    /// A writer to what `stream` writes to.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn new(stream: &impl AsFd) -> io::Result<Self> {
        let out = File::from(stream.as_fd().try_clone_to_owned()?);
        Ok(Self { out, is_read: true, is_cut: false })
    }

    /// Writes a line, or as much of it as there is room for.
    ///
    /// # Errors
    /// When the stream is closed or full, or nobody has read it for a while.
    pub fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_cut {
            self.write_whole(b"\n")?;
            self.is_cut = false;
        }
        self.write_whole(line)
    }

    fn write_whole(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len();
        while !bytes.is_empty() {
            // A pipe that says that it is ready takes so much at once.
            let written = self.wait().and_then(|()| self.out.write(&bytes[..bytes.len().min(PIPE_BUF)]));
            match written {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    self.is_cut |= bytes.len() < length;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Waits until the stream takes something: once for a reader that has stopped, and no more until it has gone on.
    fn wait(&mut self) -> io::Result<()> {
        let patience = if self.is_read { PATIENCE } else { Duration::ZERO };
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        let mut stream = [PollFd::new(&self.out, PollFlags::OUT)];
        self.is_read = poll(&mut stream, Some(&patience))? > 0;
        if self.is_read { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

/// Takes whole lines and counts those that are lost.
struct Counted(Unwaiting);

impl Write for Counted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.write_line(line).is_err() {
            NOT_WRITTEN.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_line_for_a_reader_who_is_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut log = Unwaiting::new(&writer).unwrap();
        log.write_line(b"one\n").unwrap();
        drop(reader);
        assert_eq!(log.write_line(b"two\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = Unwaiting::new(&full).unwrap().write_line(b"one\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    /// With a wait for every line this would take eight minutes, and be ended before.
    #[test]
    fn a_pipe_that_nobody_reads_is_waited_for_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut log = Unwaiting::new(&writer).unwrap();
        // Three times what a pipe takes at once: what it holds in all, a power of 2, ends in the middle of a line.
        let long = [vec![b'x'; 3 * PIPE_BUF - 1], b"\n".to_vec()].concat();
        let lost = (0..10_000).filter(|_| log.write_line(&long).is_err()).count();
        assert!(lost > 9_900, "{lost}");
        // One read takes all that there is.
        let filled = reader.read(&mut vec![0; 1 << 20]).unwrap();
        assert!(filled > PIPE_BUF, "{filled}");
        log.write_line(b"here again\n").unwrap();
        drop((log, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\nhere again\n", "a line of its own");
    }
}
