//! Which flow, and which of its stages is next: pure functions of what the server offers
//! and what the application can do (rule C2).
//!
//! ```text
//!  each flow ─► contradicts `completed`? ─► out
//!                  │ no
//!                  ▼
//!               a stage nobody can do? ─► out, but for saying what is missing
//!                  │ no
//!                  ▼
//!               the one walked so far, else fewest fallback pages,
//!               then one with an address, then fewest stages, then the first
//! ```

use core::cmp::Reverse;

use super::options::Client;
use super::params;
use crate::wire::{AuthType, ChallengeBody, FlowStages, Fnv, Stages};

/// Who can do a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// The application, or the engine itself.
    Itself,
    /// A page in a browser.
    Browser,
    /// The application, once it has an address to give.
    WithAddress,
    /// Nobody here.
    Nobody,
}

/// What decides who can do a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities<'c> {
    pub(super) client: &'c Client<'c>,
    pub(super) email: bool,
    pub(super) phone: bool,
}

/// The same where no stage is of a type of somebody's own: small, and comparable.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Plain {
    known: u16,
    browser: bool,
    email: bool,
    phone: bool,
}

/// A choice that was made, and all that it hangs on beside the challenge. Whoever changes
/// what the challenge offers forgets it.
#[derive(Clone, Copy)]
pub(super) struct Chosen {
    by: Plain,
    seen: Seen,
    flow: FlowId,
    stage: AuthType<'static>,
    means: Means,
}

impl Abilities<'_> {
    const fn plain(&self) -> Plain {
        let Self { client, email, phone } = *self;
        Plain { known: client.known(), browser: client.browser, email, phone }
    }

    /// Who can do `stage`, as `challenge` offers it.
    pub(super) fn means(&self, challenge: &ChallengeBody<'_>, stage: AuthType<'_>) -> Means {
        // A page of the server is named by the session it belongs to.
        let browser = self.client.browser && challenge.session.is_some();
        let page = if browser { Means::Browser } else { Means::Nobody };
        let listed = self.client.lists(stage);
        let usable = || match stage {
            AuthType::Recaptcha => params::recaptcha_key(challenge).is_some(),
            AuthType::Terms => params::Terms::of(challenge).is_some(),
            _ => true,
        };
        match stage {
            AuthType::Dummy => Means::Itself,
            // Pages by nature; who lists them knows how to show one.
            AuthType::Sso | AuthType::OAuth if listed && challenge.session.is_some() => Means::Itself,
            AuthType::Sso | AuthType::OAuth => page,
            AuthType::EmailIdentity | AuthType::Msisdn => {
                let has_address = if stage == AuthType::Msisdn { self.phone } else { self.email };
                match (has_address, if listed { Means::Itself } else { page }) {
                    (_, Means::Nobody) => Means::Nobody,
                    (true, means) => means,
                    (false, _) => Means::WithAddress,
                }
            }
            _ if listed && usable() => Means::Itself,
            _ => page,
        }
    }
}

/// What the engine does next, as far as the flows decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Walk this flow; its next stage and who does it, or nothing if all are completed.
    Walk(FlowId, Option<(AuthType<'a>, Means)>),
    /// This flow could be walked, if there were an address to give.
    Address(FlowId),
    /// No flow can be walked; this one comes closest, if there is any.
    Nothing(Option<FlowId>),
}

/// A flow by the names of its stages: its place in the list may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct FlowId(u64);

/// A flow, weighed.
struct Weighed<'a> {
    id: FlowId,
    next: Option<(AuthType<'a>, Means)>,
    nobody: usize,
    without_address: usize,
    pages: usize,
    has_address: bool,
    stages: usize,
}

impl Chosen {
    /// Whether it hangs on what a stage's params are.
    pub(super) const fn hangs_on_params(&self) -> bool {
        self.seen.params
    }
}

/// What of the flows was looked at.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// A stage of somebody's own type, which a client lists by name.
    custom: bool,
    /// A stage that can't be done without params.
    params: bool,
}

/// As [`choose`], where the last choice may still hold.
pub(super) fn choose_again<'a>(
    challenge: &ChallengeBody<'a>,
    abilities: Abilities<'_>,
    walked: Option<FlowId>,
    chosen: &mut Option<Chosen>,
) -> Choice<'a> {
    let by = abilities.plain();
    // A flow that was chosen is the one that is walked, and stays chosen.
    if let Some(last) = chosen
        && last.by == by
        && walked == Some(last.flow)
    {
        return Choice::Walk(last.flow, Some((last.stage, last.means)));
    }
    let mut seen = Seen::default();
    let choice = choose_seeing(challenge, abilities, walked, &mut seen);
    *chosen = match choice {
        Choice::Walk(flow, Some((stage, means))) if !seen.custom => {
            stage.as_known().map(|stage| Chosen { by, seen, flow, stage, means })
        }
        _ => None,
    };
    choice
}

/// Chooses; `walked` is the flow that has been walked so far.
pub(super) fn choose<'a>(
    challenge: &ChallengeBody<'a>,
    abilities: Abilities<'_>,
    walked: Option<FlowId>,
) -> Choice<'a> {
    choose_seeing(challenge, abilities, walked, &mut Seen::default())
}

#[inline(never)]
fn choose_seeing<'a>(
    challenge: &ChallengeBody<'a>,
    abilities: Abilities<'_>,
    walked: Option<FlowId>,
    seen: &mut Seen,
) -> Choice<'a> {
    let mut best: Option<Weighed<'a>> = None;
    let completed = challenge.completed();
    for flow in challenge.flows() {
        let Some(weighed) = weigh(challenge, flow, &completed, abilities, seen) else { continue };
        if walked == Some(weighed.id) && weighed.nobody == 0 && weighed.without_address == 0 {
            return Choice::Walk(weighed.id, weighed.next);
        }
        // The first of equals stays.
        if best.as_ref().is_none_or(|best| rank(&weighed) < rank(best)) {
            best = Some(weighed);
        }
    }
    match best {
        None => Choice::Nothing(None),
        Some(flow) if flow.nobody > 0 => Choice::Nothing(Some(flow.id)),
        Some(flow) if flow.without_address > 0 => Choice::Address(flow.id),
        Some(flow) => Choice::Walk(flow.id, flow.next),
    }
}

fn rank(flow: &Weighed<'_>) -> (usize, usize, usize, Reverse<bool>, usize) {
    (flow.nobody, flow.without_address, flow.pages, Reverse(flow.has_address), flow.stages)
}

/// `None` for a flow that contradicts what has been completed.
fn weigh<'a>(
    challenge: &ChallengeBody<'a>,
    flow: FlowStages<'a>,
    completed: &Stages<'a>,
    abilities: Abilities<'_>,
    seen: &mut Seen,
) -> Option<Weighed<'a>> {
    let mut id = Fnv::new();
    let mut weighed = Weighed {
        id: FlowId(0),
        next: None,
        nobody: 0,
        without_address: 0,
        pages: 0,
        has_address: false,
        stages: 0,
    };
    for stage in flow.stages() {
        name_of(&mut id, stage);
        match stage {
            AuthType::Custom(_) => seen.custom = true,
            AuthType::Recaptcha | AuthType::Terms => seen.params = true,
            _ => {}
        }
        weighed.stages = weighed.stages.saturating_add(1);
        if completed.clone().any(|done| done == stage) {
            if weighed.next.is_some() {
                return None;
            }
            continue;
        }
        let means = abilities.means(challenge, stage);
        if weighed.next.is_none() {
            weighed.next = Some((stage, means));
        }
        let count = match means {
            Means::Itself => None,
            Means::Browser => Some(&mut weighed.pages),
            Means::WithAddress => Some(&mut weighed.without_address),
            Means::Nobody => Some(&mut weighed.nobody),
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
        weighed.has_address |= matches!(stage, AuthType::EmailIdentity | AuthType::Msisdn);
    }
    weighed.id = FlowId(id.finish());
    // Some servers list what has been completed in no order; which it is, is all that counts.
    let knows_all = completed.clone().all(|done| flow.stages().any(|stage| stage == done));
    knows_all.then_some(weighed)
}

fn flow_id(flow: FlowStages<'_>) -> FlowId {
    let mut hash = Fnv::new();
    for stage in flow.stages() {
        name_of(&mut hash, stage);
    }
    FlowId(hash.finish())
}

/// Known stages by their number, as sessions are stored: it is shorter.
fn name_of(hash: &mut Fnv, stage: AuthType<'_>) {
    match stage {
        AuthType::Custom(name) => {
            hash.text(name);
            hash.write(&[0]);
        }
        known => hash.stage(known),
    }
}

/// The flow of that name, if it is offered.
pub(super) fn find<'a>(challenge: &ChallengeBody<'a>, id: FlowId) -> Option<FlowStages<'a>> {
    challenge.flows().find(|flow| flow_id(*flow) == id)
}
