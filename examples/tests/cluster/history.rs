//! What one account's clients saw, and whether one order of its operations explains it.

use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};

/// A password, by number.
pub type Password = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Register(Password),
    Login(Password),
    Change { from: Password, to: Password },
    Reset(Password),
    Deactivate(Password),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Saw {
    /// It was answered with 200.
    Done,
    /// The account is not as it would have to be.
    Refused,
    /// It was given up for another reason, and nothing was done.
    Nothing,
}

/// The account as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    Nobody,
    Has(Password),
    Gone,
}

impl Account {
    /// What an operation makes of it; `None` if it is refused.
    fn after(self, op: Op) -> Option<Self> {
        match (self, op) {
            (Self::Nobody, Op::Register(password)) => Some(Self::Has(password)),
            (Self::Has(now), Op::Login(password)) if now == password => Some(self),
            (Self::Has(now), Op::Change { from, to }) if now == from => Some(Self::Has(to)),
            (Self::Has(_), Op::Reset(to)) => Some(Self::Has(to)),
            (Self::Has(now), Op::Deactivate(password)) if now == password => Some(Self::Gone),
            _ => None,
        }
    }
}

impl SequentialSpec for Account {
    type Op = Op;
    type Ret = Saw;

    /// One that nobody knows the end of may have been refused as well.
    fn invoke(&mut self, op: &Op) -> Saw {
        match self.after(*op) {
            Some(next) => {
                *self = next;
                Saw::Done
            }
            None => Saw::Refused,
        }
    }

    fn is_valid_step(&mut self, op: &Op, saw: &Saw) -> bool {
        match (saw, self.after(*op)) {
            (Saw::Done, Some(next)) => {
                *self = next;
                true
            }
            (Saw::Refused, None) | (Saw::Nothing, _) => true,
            (Saw::Done, None) | (Saw::Refused, Some(_)) => false,
        }
    }
}

/// The operations of one account. Each is its own thread, as none waits for another.
#[derive(Clone, Debug)]
pub struct History {
    tester: LinearizabilityTester<usize, Account>,
    begun: usize,
    /// For who reads it.
    pub told: Vec<(usize, Op, Option<Saw>)>,
}

impl History {
    pub fn of(account: Account) -> Self {
        Self { tester: LinearizabilityTester::new(account), begun: 0, told: Vec::new() }
    }

    pub fn begin(&mut self, op: Op) -> usize {
        self.begun += 1;
        self.tester.on_invoke(self.begun, op).unwrap();
        self.told.push((self.begun, op, None));
        self.begun
    }

    /// `None`: nobody knows whether it was or will be carried out.
    pub fn end(&mut self, number: usize, saw: Option<Saw>) {
        if let Some(saw) = saw {
            self.tester.on_return(number, saw).unwrap();
            let op = self.told.iter().find(|told| told.0 == number).unwrap().1;
            self.told.push((number, op, Some(saw)));
        }
    }

    pub fn len(&self) -> usize {
        self.begun
    }

    /// Each operation, and how it ended.
    pub fn ended(&self) -> impl Iterator<Item = (Op, Option<Saw>)> {
        let begun = self.told.iter().filter(|(.., saw)| saw.is_none());
        begun.map(|(number, op, _)| {
            let ended = self.told.iter().find(|(of, _, saw)| of == number && saw.is_some());
            (*op, ended.and_then(|(.., saw)| *saw))
        })
    }

    pub fn is_linearizable(&self) -> bool {
        self.tester.is_consistent()
    }
}

#[test]
fn a_history_that_no_order_explains_is_found() {
    let told = |told: &[(Op, Option<Saw>)]| {
        let mut history = History::of(Account::Nobody);
        for (op, saw) in told {
            let number = history.begin(*op);
            history.end(number, *saw);
        }
        history.is_linearizable()
    };
    let (registered, change) = ((Op::Register(1), Some(Saw::Done)), Op::Change { from: 1, to: 2 });
    assert!(told(&[registered, (change, Some(Saw::Done)), (Op::Login(2), Some(Saw::Done))]));
    assert!(!told(&[registered, (change, Some(Saw::Done)), (Op::Login(1), Some(Saw::Done))]), "lost");
    assert!(!told(&[registered, (Op::Register(2), Some(Saw::Done))]), "twice");
    assert!(!told(&[registered, (change, Some(Saw::Done)), (change, Some(Saw::Done))]), "twice");
    for login in [Saw::Done, Saw::Refused] {
        assert!(told(&[registered, (change, None), (Op::Login(1), Some(login))]), "nobody knows");
    }
    assert!(!told(&[registered, (Op::Deactivate(1), Some(Saw::Done)), (Op::Reset(2), Some(Saw::Done))]));
}
