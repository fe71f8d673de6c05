//! The world that is explored: how a state goes on, and what must hold of each.

use std::collections::HashMap;
use std::sync::Mutex;

use stateright::{Model, Property};

use super::request::{ARRIVED, Answer, Asks, Kind, Of, Read, Reservation, Said, Write, begun};
use super::state::{EXPIRED, Host, Request, State, Use, is_over};

const SUCCEEDED: u64 = 3_000;
const REPEATED: u64 = 4_000;
const LATE_SUCCEEDED: u64 = 21_000;
const LATE_REPEATED: u64 = 22_000;
/// Every claim has lapsed by now.
const LAST: u64 = 40_000;
const EXPIRED_SUCCEEDED: u64 = EXPIRED + 1_000;

type Stop = (Read, Use, bool, bool, bool, bool, u8, usize);

pub(super) struct World {
    host: Host,
    requests: usize,
    /// Whether it is safe to stop, by all of a state that a later request finds.
    stops: Mutex<HashMap<Stop, bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The request's next step.
    Step(usize),
    /// The same, but the call fails for its own reason.
    FailCall(usize),
    /// Its process is killed.
    Kill(usize),
    /// The store drops the session.
    Drop,
    /// The account's credentials are replaced elsewhere.
    Fence,
    /// So much time passes that the claim lapses.
    Lapse,
    /// So much time passes that the session is over, and what was reserved for it.
    Expire,
}

impl World {
    pub(super) fn new(host: Host, requests: usize) -> Self {
        Self { host, requests, stops: Mutex::default() }
    }

    /// Carries writes out, all of them or none. `false`: somebody else was faster.
    fn write(&self, state: &mut State, writes: Vec<Write>) -> bool {
        let current = state.stored.session().map(matrix_uia::Session::revision);
        if self.host.compares && writes.iter().any(|write| write.expected != current) {
            return false;
        }
        for Write { session, .. } in writes {
            state.stored = session.as_ref().map_or(Read::NOTHING, Read::of);
            state.most = state.most.max(
                session.map_or(0, |session| if is_over(&session) { 0 } else { session.proofs().count() }),
            );
        }
        true
    }

    /// The store has lost the session. A sealed ID begins it again, without what it had: also by a
    /// commit of a request that has loaded it before.
    const fn forget(&self, state: &mut State) {
        if self.host.sealed {
            (state.wrong, state.most) = (0, 0);
        }
    }

    /// The call itself, in one act of the accounts' database: with the session's end, or with
    /// the record that it leaves.
    fn perform(&self, state: &mut State, i: usize, fails: bool) {
        let host = self.host;
        let loaded = state.requests[i].going(host);
        let claims = !self.host.one_transaction;
        // Another transaction has written the account that this one has read, or, long after, given back
        // what is to be spent.
        let conflicts =
            loaded.epoch() != state.epoch() || (claims && state.ever_expired && state.voucher == Use::Free);
        let succeeded = Said::Succeeded(match (state.ever_expired, state.late) {
            (true, _) => EXPIRED_SUCCEEDED,
            (false, true) => LATE_SUCCEEDED,
            (false, false) => SUCCEEDED,
        });
        if claims && self.host.records && state.record {
            state.requests[i].hear(host, Said::Already);
        } else if fails {
            state.failed = true;
            state.requests[i].hear(host, Said::Failed);
        } else if conflicts {
            state.requests[i].hear(host, succeeded);
            state.requests[i].hear(host, Said::Lost);
            return;
        } else {
            let earned = loaded.grants_what_is_earned(claims) && state.requests[i].kind != Kind::OtherParams;
            state.requests[i].hear(host, succeeded);
            if claims {
                // What is spent is part of the act that carries the call out.
                assert_eq!(state.requests[i].going(host).reservations(), [Reservation::Spent]);
                state.voucher = Use::Spent;
            }
            if claims || self.commit(state, i) {
                state.calls += 1;
                state.record = claims && self.host.records;
                state.unearned |= !earned;
            }
            return;
        }
        if self.host.one_transaction {
            self.commit(state, i);
        }
    }

    fn commit(&self, state: &mut State, i: usize) -> bool {
        let host = self.host;
        // The effects and the record are there: only the store may have dropped the session,
        // or another request has read the record.
        let done = !self.host.one_transaction && state.requests[i].has_answered_call();
        let mut going = state.requests[i].going(host);
        let reserves = self.host.one_transaction && state.requests[i].reserves();
        let voucher = if reserves { Use::Reserved } else { state.voucher };
        let reservations = going.reservations();
        // What isn't reserved any more can't be spent.
        let spendable = done || voucher == Use::Reserved || !reservations.contains(&Reservation::Spent);
        let stored = spendable && (self.write(state, going.writes()) || done);
        if stored {
            state.voucher = voucher;
            for reservation in reservations {
                state.voucher = match reservation {
                    // Another request of the session has spent it.
                    Reservation::GivenBack if state.voucher == Use::Spent => Use::Spent,
                    Reservation::GivenBack => Use::Free,
                    Reservation::Spent => Use::Spent,
                };
            }
        }
        state.lost_race |= !stored;
        state.requests[i].hear(host, if stored { Said::Stored } else { Said::Lost });
        if let Asks::Nothing(Answer::Challenged(_, Some("M_FORBIDDEN"))) = state.requests[i].asks {
            state.wrong += 1;
        }
        stored
    }

    fn take(&self, state: &mut State, i: usize, fails: bool) {
        let host = self.host;
        match state.requests[i].asks {
            Asks::Load => {
                let late = state.late;
                let request = &mut state.requests[i];
                let arrived = *request.arrived.get_or_insert(match (request.kind, late) {
                    (Kind::Repeat, false) => REPEATED,
                    (Kind::Repeat, true) => LATE_REPEATED,
                    _ => ARRIVED + u64::from(request.number),
                });
                let now = arrived.max(state.now());
                let said = Said::Loaded(state.stored.clone(), state.epoch(), now);
                state.requests[i].hear(host, said);
            }
            Asks::Verify(Of::Password) => {
                let said = Said::Verified(state.epoch());
                state.requests[i].hear(host, said);
            }
            Asks::Verify(Of::Voucher) => {
                let said = if state.voucher == Use::Spent { Said::UsedUp } else { Said::Reserved };
                // Where it isn't part of the commit, it is reserved in an act of its own.
                if said == Said::Reserved && !self.host.one_transaction {
                    state.voucher = Use::Reserved;
                }
                state.requests[i].hear(host, said);
            }
            Asks::Recall => {
                assert!(!self.host.one_transaction, "no claim is ever stored");
                let said = Said::Recalled(state.record);
                state.requests[i].hear(host, said);
            }
            Asks::Perform => self.perform(state, i, fails),
            Asks::Commit => {
                self.commit(state, i);
            }
            Asks::Nothing(_) | Asks::Killed => {}
        }
    }

    /// Every process stops here, and the client asks once more, later.
    fn is_safe_to_stop_at(&self, state: &State) -> bool {
        let State { stored, voucher, record, fenced, dropped, ever_expired, calls, most, .. } = state;
        let stop = (stored.clone(), *voucher, *record, *fenced, *dropped, *ever_expired, *calls, *most);
        if let Some(safe) = self.stops.lock().unwrap().get(&stop) {
            return *safe;
        }
        let mut then = state.clone();
        then.requests = vec![Request { arrived: Some(LAST), ..Request::new(Kind::Repeat, u8::MAX) }];
        for _ in 0..32 {
            self.take(&mut then, 0, false);
        }
        let ended = state.stored.session().is_some_and(matrix_uia::Session::has_ended);
        // A request that had loaded the session before may store it afterwards, as old as it is.
        let gone = state.ever_expired || (state.stored == Read::NOTHING && !self.host.sealed);
        let over = gone || state.fenced || ended;
        let right = match then.requests[0].asks {
            Asks::Nothing(Answer::Replayed) => state.calls == 1,
            Asks::Nothing(Answer::Succeeded) => state.calls == 0 && !over && then.calls == 1,
            Asks::Nothing(Answer::Challenged(_, Some("M_UNKNOWN"))) => over,
            Asks::Nothing(Answer::Challenged(0, _)) => state.most == 0 && !over,
            // It has begun again, and the voucher may be spent.
            Asks::Nothing(Answer::Challenged(..)) => self.host.sealed && state.dropped,
            _ => false,
        };
        let succeeded = matches!(then.requests[0].asks, Asks::Nothing(Answer::Replayed | Answer::Succeeded));
        let spent = then.voucher == Use::Spent || !succeeded;
        let safe = right && spent && then.calls <= 1 && !then.unearned;
        self.stops.lock().unwrap().insert(stop, safe);
        safe
    }
}

/// Every choice of `count` kinds, whatever their order.
fn choices(count: usize, kinds: &[Kind]) -> Vec<Vec<Kind>> {
    let Some((first, rest)) = kinds.split_first().filter(|_| count > 0) else {
        return if count == 0 { vec![Vec::new()] } else { Vec::new() };
    };
    let with = choices(count - 1, kinds).into_iter().map(|mut chosen| {
        chosen.push(*first);
        chosen
    });
    with.chain(choices(count, rest)).collect()
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        choices(self.requests, &Kind::ALL)
            .into_iter()
            .map(|kinds| State {
                stored: if self.host.sealed { Read::NOTHING } else { begun() },
                requests: kinds
                    .into_iter()
                    .zip(1..)
                    .map(|(kind, number)| Request::new(kind, number))
                    .collect(),
                voucher: Use::Free,
                fenced: false,
                dropped: false,
                lost_claim: false,
                killed: false,
                late: false,
                expired: false,
                ever_expired: false,
                record: false,
                failed: false,
                calls: 0,
                wrong: 0,
                most: 0,
                lost_race: false,
                unearned: false,
            })
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, request) in state.requests.iter().enumerate() {
            match request.asks {
                // Nobody repeats what hasn't happened.
                Asks::Load if request.kind == Kind::Repeat && state.calls == 0 => continue,
                Asks::Nothing(_) | Asks::Killed => continue,
                Asks::Perform if !state.failed => actions.push(Action::FailCall(i)),
                _ => {}
            }
            actions.push(Action::Step(i));
            if !state.killed && !request.log.is_empty() {
                actions.push(Action::Kill(i));
            }
        }
        if !state.dropped {
            actions.push(Action::Drop);
        }
        if !state.fenced {
            actions.push(Action::Fence);
        }
        if !state.late && state.stored.session().is_some_and(matrix_uia::Session::is_claimed) {
            actions.push(Action::Lapse);
        }
        if state.left_something() && state.voucher == Use::Reserved {
            actions.push(Action::Expire);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Step(i) => self.take(&mut state, i, false),
            Action::FailCall(i) => self.take(&mut state, i, true),
            Action::Kill(i) => {
                state.requests[i].end();
                state.killed = true;
                state.expired = false;
            }
            Action::Drop => {
                // What is reserved for a session is given back with it, unless it is in the
                // middle of a call: none is evicted then, and a store that loses it says nothing.
                let session = state.stored.session();
                state.lost_claim = session.is_some_and(matrix_uia::Session::is_claimed);
                state.expired &= !state.lost_claim;
                if !state.lost_claim && state.voucher == Use::Reserved {
                    state.voucher = Use::Free;
                }
                state.stored = Read::NOTHING;
                state.dropped = true;
                self.forget(&mut state);
            }
            Action::Fence => state.fenced = true,
            Action::Lapse => state.late = true,
            Action::Expire => {
                if self.host.settles {
                    state.voucher = Use::Free;
                }
                state.stored = Read::NOTHING;
                self.forget(&mut state);
                (state.late, state.expired, state.ever_expired) = (true, true, true);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("a call is carried out at most once", |_, state: &State| state.calls <= 1),
            Property::always("success is answered only for a call that took place", |_, state: &State| {
                let answered = |answer| matches!(answer, Answer::Succeeded | Answer::Replayed);
                state.calls == 1 || !state.answers().any(answered)
            }),
            Property::always("one success at most, the rest are repetitions", |_, state: &State| {
                state.answers().filter(|answer| *answer == Answer::Succeeded).count() <= 1
            }),
            Property::always("one request at most holds a grant", |world: &Self, state: &State| {
                let claims = !world.host.one_transaction;
                let holds = |it: &&Request| (claims && it.asks == Asks::Perform) || it.has_answered_call();
                // A claim that has lapsed may still be in the hands of whoever made it.
                state.late || state.requests.iter().filter(holds).count() <= 1
            }),
            Property::always("a grant is earned", |_, state: &State| !state.unearned),
            Property::always("every wrong password is counted, once", |_, state: &State| {
                state.stored.session().is_none_or(|session| session.failures() == state.wrong)
            }),
            Property::always("what has passed stays passed", |_, state: &State| {
                state
                    .stored
                    .session()
                    .is_none_or(|session| is_over(session) || session.proofs().count() == state.most)
            }),
            Property::always("every state is safe to stop at", Self::is_safe_to_stop_at),
            Property::always("nothing is reserved for ever", |_, state: &State| {
                let idle =
                    state.requests.iter().all(|request| request.is_over() || request.arrived.is_none());
                let goes_on = |session: &matrix_uia::Session| !is_over(session);
                let is_held = state.stored.session().is_some_and(goes_on);
                state.voucher != Use::Reserved || is_held || !idle || state.left_something()
            }),
            Property::always("the voucher is spent on a call that took place", |_, state: &State| {
                state.voucher != Use::Spent || state.calls == 1
            }),
            Property::always(
                "no claim is stored where the call is part of the transaction",
                |world: &Self, state: &State| {
                    let session = state.stored.session();
                    !world.host.one_transaction || session.is_none_or(|session| !session.is_claimed())
                },
            ),
            Property::eventually("every request is answered", |_, state: &State| {
                state
                    .requests
                    .iter()
                    .all(|request| request.is_over() || (request.kind == Kind::Repeat && state.calls == 0))
            }),
            Property::sometimes("what was left reserved runs out", |_, state: &State| state.expired),
            Property::sometimes("the voucher is spent", |_, state: &State| state.voucher == Use::Spent),
            Property::sometimes("a page passes a stage", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Shown(true))
            }),
            Property::sometimes("a race is lost", |_, state: &State| state.lost_race),
            Property::sometimes("a lost answer is sent again", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Replayed)
            }),
            Property::sometimes("other parameters are refused", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Refused("M_FORBIDDEN"))
            }),
            Property::sometimes("a call that failed is made again", |_, state: &State| {
                state.failed && state.calls == 1
            }),
        ];
        if self.host.sealed {
            properties.push(Property::sometimes(
                "what is stored first is not what has begun",
                |_, state: &State| {
                    state
                        .stored
                        .session()
                        .is_some_and(|session| session.is_sealed() && session.has_passed_stage())
                },
            ));
        }
        if !self.host.one_transaction {
            fn said(state: &State, what: &Said) -> bool {
                state.requests.iter().any(|request| request.log.last() == Some(what))
            }
            properties.extend([
                Property::sometimes("a lapsed claim is found to be carried out", |_, state: &State| {
                    said(state, &Said::Recalled(true))
                }),
                Property::sometimes("a lapsed claim is found not to be carried out", |_, state: &State| {
                    said(state, &Said::Recalled(false))
                }),
                Property::sometimes("whoever performs finds the record", |_, state: &State| {
                    said(state, &Said::Already)
                }),
            ]);
        }
        properties
    }
}
