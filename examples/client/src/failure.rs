//! How a flow that failed ends the program, and whether its file is good for another try.

use crate::flow::Progress;
use crate::output::End;
use matrix_uia::client::{FlowFailure, SessionImpact};

/// Whether a call that has ended can go on from its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopen {
    Yes,
    No,
}

/// How a failure ends the program.
pub fn ended(
    failure: &FlowFailure<'_>,
    progress: &Progress,
    open: Option<String>,
    silence: &str,
) -> (End, Reopen) {
    let refused = |status, meaning| End::refused(status, progress.error(), meaning);
    match failure {
        FlowFailure::Answer { status, meaning, .. } => {
            // A server in trouble has decided nothing, and a login can be mended.
            let decided = *status < 500 && *meaning == SessionImpact::Keep;
            (refused(*status, *meaning), if decided { Reopen::No } else { Reopen::Yes })
        }
        FlowFailure::RateLimited(_) => (refused(429, failure.meaning()), Reopen::Yes),
        FlowFailure::NoFlow(missing) => {
            let stages = missing.stages().map(|stage| stage.name().to_string()).collect();
            (End::Missing(stages), Reopen::Yes)
        }
        FlowFailure::TimedOut => (End::Missing(open.into_iter().collect()), Reopen::No),
        FlowFailure::NoAnswer => (End::Network(silence.to_owned()), Reopen::Yes),
        // The stages before it have passed: who has the right answer goes on from there.
        FlowFailure::Refused(_) => (refused(401, SessionImpact::Keep), Reopen::Yes),
        other => {
            let error = Some(other.to_string());
            (End::Refused { status: None, errcode: None, error, meaning: other.meaning() }, Reopen::No)
        }
    }
}
