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
        // The link may still be followed.
        FlowFailure::TimedOut => (End::Missing(open.into_iter().collect()), Reopen::Yes),
        FlowFailure::NoAnswer => (End::Network(silence.to_owned()), Reopen::Yes),
        // The stages before it have passed: who has the right answer goes on from there.
        FlowFailure::Refused(_) => (refused(401, SessionImpact::Keep), Reopen::Yes),
        other => {
            let error = Some(other.to_string());
            (End::Refused { status: None, errcode: None, error, meaning: other.meaning() }, Reopen::No)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matrix_uia::client::CallName;

    #[test]
    fn only_a_decision_ends_what_is_stored() {
        let progress = Progress::new(CallName::new("/a").unwrap());
        let answer = |status, meaning| FlowFailure::Answer { status, error: None, meaning };
        for (failure, reopen) in [
            (FlowFailure::NoAnswer, Reopen::Yes),
            (FlowFailure::TimedOut, Reopen::Yes),
            (FlowFailure::RateLimited(None), Reopen::Yes),
            (FlowFailure::Refused(None), Reopen::Yes),
            (answer(500, SessionImpact::Keep), Reopen::Yes),
            (answer(401, SessionImpact::Gone), Reopen::Yes),
            (answer(403, SessionImpact::Keep), Reopen::No),
        ] {
            assert_eq!(ended(&failure, &progress, None, "").1, reopen, "{failure:?}");
        }
    }
}
