//! File descriptors: each connection takes one, and a system gives a process few of them unless it asks for more.

/// What the database, the messages under way and the connections to other databases may take.
const OWN: u64 = 100;

/// Asks the system for as many as `connections` take, and says how many of these there may be then.
#[cfg(unix)]
pub fn room_for(connections: usize) -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OWN);
    let before = getrlimit(Resource::Nofile);
    if let Some(limit) = before.current.filter(|limit| *limit < wanted) {
        let mut raised = before;
        raised.current = Some(before.maximum.map_or(wanted, |most| most.min(wanted)).max(limit));
        // What it can't have it does without.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let room = connections_in(getrlimit(Resource::Nofile).current, connections);
    if room < connections {
        tracing::warn!(
            connections,
            room,
            "there are fewer file descriptors (ulimit -n) than edges.connections"
        );
    }
    room
}

/// Elsewhere nothing is asked.
#[cfg(not(unix))]
pub fn room_for(connections: usize) -> usize {
    connections
}

/// How many connections have room in so many descriptors. One more than that would not wait its turn: it would fail,
/// and with it whatever else needs a descriptor.
#[cfg(unix)]
fn connections_in(limit: Option<u64>, wanted: usize) -> usize {
    let Some(limit) = limit else { return wanted };
    usize::try_from(limit.saturating_sub(OWN)).unwrap_or(usize::MAX).clamp(1, wanted.max(1))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn e4_connections_leave_descriptors_for_everything_else() {
        for (limit, wanted, room) in [
            (None, 10_000, 10_000),
            (Some(20_000), 10_000, 10_000),
            (Some(10_100), 10_000, 10_000),
            (Some(10_099), 10_000, 9_999),
            (Some(1_024), 10_000, 924),
            (Some(3), 10_000, 1),
        ] {
            assert_eq!(connections_in(limit, wanted), room, "{limit:?}");
        }
        assert!((1..=10).contains(&room_for(10)));
    }
}
