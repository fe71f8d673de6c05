//! What a line of the log looks like: the time, the level, the message, and the fields.
//!
//! Every request has a line, so it is written in few steps.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};
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

/// UTC, to the microsecond: `2026-11-28T23:30:00.000000Z`. The subscriber's own writes each part of it as a padded
/// number, which takes five times as long.
#[derive(Debug)]
pub struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        begin(line)
    }
}

/// Begins a line with the time.
pub fn begin(line: &mut impl Write) -> fmt::Result {
    // There are no moments before the epoch in this format.
    let now = SystemTime::now().max(UNIX_EPOCH);
    write!(line, "{}", humantime::format_rfc3339_micros(now))
}

#[cfg(test)]
mod tests {
    use super::*;

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
