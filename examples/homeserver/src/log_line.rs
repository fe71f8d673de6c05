//! What a line of the log looks like: the time, the level, the message, and the fields.
//!
//! Every request has a line, so it is written in few steps.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Writes a field after what is there, or the message. The subscriber's own looks at each letter of a message, which may
/// be anybody's: here all of them are the server's own words, and what comes from elsewhere is a field.
pub fn field(line: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(line, "{value:?}"),
        name => write!(line, " {name}={value:?}"),
    }
}

/// UTC, to the microsecond: `2026-11-28T23:30:00.000000Z`.
#[derive(Debug)]
pub struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        begin(line)
    }
}

/// How many characters there are before the fraction of a second.
const SECOND_LEN: usize = "2026-11-28T23:30:00".len();

thread_local! {
    /// The last second that a line of this thread began with, and its text. Most lines begin with the same.
    static SECOND: Cell<(u64, [u8; SECOND_LEN])> = const { Cell::new((u64::MAX, [b'0'; SECOND_LEN])) };
}

/// Begins a line with the time.
pub fn begin(line: &mut impl Write) -> fmt::Result {
    // There are no moments before the epoch in this format.
    write_time(line, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Writes the time so long after the epoch.
fn write_time(line: &mut impl Write, since: Duration) -> fmt::Result {
    let (mut second, mut text) = SECOND.get();
    if second != since.as_secs() {
        second = since.as_secs();
        let whole = UNIX_EPOCH.checked_add(Duration::from_secs(second)).unwrap_or(UNIX_EPOCH);
        let said = humantime::format_rfc3339_seconds(whole).to_string();
        for (to, from) in text.iter_mut().zip(said.bytes()) {
            *to = from;
        }
        SECOND.set((second, text));
    }
    let mut fraction = *b".000000Z";
    let mut rest = since.subsec_micros();
    for digit in fraction.iter_mut().skip(1).take(6).rev() {
        *digit = b'0'.saturating_add((rest % 10) as u8);
        rest /= 10;
    }
    for part in [&text[..], &fraction] {
        line.write_str(str::from_utf8(part).unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_written_as_the_library_does() {
        for (second, micros) in [(0, 0), (0, 1), (1, 999_999), (1, 100_000), (1_795_909_800, 45_210), (0, 7)]
        {
            let since = Duration::new(second, micros * 1000);
            let mut line = String::new();
            write_time(&mut line, since).unwrap();
            assert_eq!(line, humantime::format_rfc3339_micros(UNIX_EPOCH + since).to_string());
        }
    }

    #[test]
    fn a_line_begins_with_the_time_of_day() {
        let mut line = String::new();
        let before = SystemTime::now();
        Utc.format_time(&mut Writer::new(&mut line)).unwrap();
        let said = humantime::parse_rfc3339(&line).unwrap();
        let passed = said.duration_since(before).or_else(|earlier| Ok::<_, ()>(earlier.duration())).unwrap();
        assert!(passed.as_secs() < 60 && line.len() == "2026-11-28T23:30:00.000000Z".len(), "{line}");
    }
}
