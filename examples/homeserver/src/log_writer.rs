//! Where the log goes: standard error, from a thread of its own.
//!
//! With two requests at once, a line that each writes itself has one wait for the other, which costs more than all
//! else about the line. Here a request adds its line to a buffer. The thread writes the first line at once, and those
//! of a busy server a few hundred at a time. A crash of the process takes the lines of the last moment along.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread gathers lines after it has written some.
const PAUSE: Duration = Duration::from_millis(10);
/// How many bytes wait at the most. Whoever adds more writes them itself.
const MOST: usize = 1024 * 1024;

/// The log of the process.
pub type Log = Arc<LogWriter<io::Stderr>>;

/// The lines that wait, and where they go. For [`tracing_subscriber`] in an [`Arc`].
#[derive(Debug)]
pub struct LogWriter<W> {
    lines: Mutex<Vec<u8>>,
    more: Condvar,
    /// Locked before the lines, so that they are written in the order in which they came.
    out: Mutex<W>,
}

impl<W: Write + Send + 'static> LogWriter<W> {
    /// # Errors
    ///
    /// There is no thread to be had.
    pub fn begin(out: W) -> io::Result<Arc<Self>> {
        let log = Arc::new(Self { lines: Mutex::default(), more: Condvar::new(), out: Mutex::new(out) });
        let writer = Arc::clone(&log);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                drop(writer.more.wait_while(lock(&writer.lines), |lines| lines.is_empty()));
                writer.write_out();
                thread::sleep(PAUSE);
            }
        })?;
        Ok(log)
    }

    /// Writes what waits: by the thread, and once more when the process ends.
    pub fn write_out(&self) {
        let mut out = lock(&self.out);
        let lines = mem::take(&mut *lock(&self.lines));
        // There is nowhere to say that nobody reads the log.
        let _nobody_reads = out.write_all(&lines).and_then(|()| out.flush());
    }
}

impl<W: Write + Send + 'static> Write for &LogWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = lock(&self.lines);
        let was_empty = lines.is_empty();
        lines.extend_from_slice(line);
        let is_full = lines.len() >= MOST;
        drop(lines);
        if was_empty {
            self.more.notify_one();
        }
        if is_full {
            self.write_out();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// What was written, and how many times.
    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut out = lock(&self.0);
            out.0.extend_from_slice(bytes);
            out.1 = out.1.saturating_add(1);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole_by_themselves_in_their_order_and_many_at_a_time() {
        let out = Out::default();
        let log = LogWriter::begin(out.clone()).unwrap();
        let mut expected = String::new();
        for number in 0..1000 {
            let line = format!("line {number}\n");
            (&*log).write_all(line.as_bytes()).unwrap();
            expected.push_str(&line);
        }
        let begun = Instant::now();
        while lock(&out.0).0.len() < expected.len() {
            assert!(begun.elapsed() < Duration::from_secs(5), "they stay in the buffer");
            thread::sleep(Duration::from_millis(1));
        }
        let (written, writes) = lock(&out.0).clone();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
        assert!(writes < 500, "{writes}");
    }

    #[test]
    fn what_waits_is_bounded_and_nothing_of_it_is_lost_at_the_end() {
        let out = Out::default();
        let log = LogWriter::begin(out.clone()).unwrap();
        let line = [b'x'; 1000];
        for _ in 0..5000 {
            (&*log).write_all(&line).unwrap();
            assert!(lock(&log.lines).len() < MOST);
        }
        log.write_out();
        assert_eq!(lock(&out.0).0.len(), 5_000_000);
    }
}
