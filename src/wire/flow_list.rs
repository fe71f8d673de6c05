//! The flows of a challenge, and the stages of a flow.
//!
//! ```text
//!  flow ─► compact, and every stage is one of the spec's ─► their numbers, in the pass that finds its end
//!       └─ any other ─► its list of names, which is read once more for each look at the stages
//! ```

use super::AuthType;
use super::json::{Items, Raw, Span, Table, table};

/// The flows of a [`ChallengeBody`](super::ChallengeBody).
#[derive(Clone, Debug)]
pub struct FlowList<'a> {
    items: Items<'a>,
}

impl<'a> FlowList<'a> {
    pub(super) fn of(flows: Option<Raw<'a>>) -> Self {
        Self { items: Items::of(flows) }
    }
}

/// Whether flows as they mostly are get read in the shorter way: it takes half a kilobyte of a
/// microcontroller's flash.
const AS_NUMBERS: bool = cfg!(target_pointer_width = "64");

/// The keys of a flow.
pub(super) static FLOW_KEYS: Table = table![0; "stages": Any];

impl<'a> Iterator for FlowList<'a> {
    type Item = FlowStages<'a>;

    fn next(&mut self) -> Option<FlowStages<'a>> {
        let mut numbers = Numbers::BEGUN;
        if AS_NUMBERS && let Some(stages) = self.items.next_names(r#"{"stages":"#, |name| numbers.read(name))
        {
            return Some(FlowStages { stages, known: numbers.whole() });
        }
        loop {
            let stages = self.items.next_with(|reader| {
                if reader.peek() != Some(b'{') {
                    return reader.skip().map(|()| None);
                }
                let mut slots = [Span::NONE; 1];
                reader.walk(&FLOW_KEYS, &mut slots)?;
                let [stages] = slots;
                Ok(stages.raw_from('[', reader.source()))
            })?;
            if let Some(stages) = stages {
                return Some(FlowStages { stages, known: 0 });
            }
        }
    }
}

/// The numbers of stages that the spec defines, while their names are read.
struct Numbers {
    /// Four bits for each, those of the first lowest.
    read: u64,
    /// Where those of the next one go; behind the last bit, if it has no place.
    at: u32,
}

impl Numbers {
    const BITS: u32 = 4;
    const BEGUN: Self = Self { read: 0, at: 0 };

    /// What follows the closing quote of `name`, if the spec defines that.
    #[inline]
    fn read<'a>(&mut self, name: &'a [u8]) -> Option<&'a [u8]> {
        let known = AuthType::quoted(name);
        let code = known.as_ref().and_then(|(stage, _)| stage.code());
        match code {
            Some(code) if self.at < u64::BITS => {
                self.read |= u64::from(code).wrapping_shl(self.at);
                self.at = self.at.wrapping_add(Self::BITS);
            }
            _ => self.at = u32::MAX,
        }
        known.map(|(_, behind)| behind)
    }

    /// All of them, or 0 if there was a name or one too many that has no place here.
    const fn whole(&self) -> u64 {
        if self.at > u64::BITS { 0 } else { self.read }
    }

    /// Takes the first.
    #[inline]
    const fn next(whole: &mut u64) -> Option<AuthType<'static>> {
        let code = *whole & 0xF;
        *whole = whole.wrapping_shr(Self::BITS);
        AuthType::of_code(code as u32)
    }
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub struct FlowStages<'a> {
    stages: Raw<'a>,
    /// Their [`Numbers`], if all have one, else 0.
    known: u64,
}

impl<'a> FlowStages<'a> {
    /// Its stages, in order.
    #[must_use]
    #[inline]
    pub fn stages(&self) -> Stages<'a> {
        if self.known == 0 {
            Stages::of(Some(self.stages))
        } else {
            Stages { known: self.known, items: Items::NONE }
        }
    }
}

/// The names in a list of stages. What is no string is left out.
#[derive(Clone, Debug)]
pub struct Stages<'a> {
    /// [`Numbers`] of the next ones.
    known: u64,
    /// The names behind those.
    items: Items<'a>,
}

impl<'a> Stages<'a> {
    pub(crate) fn of(names: Option<Raw<'a>>) -> Self {
        Self { known: 0, items: Items::of(names) }
    }

    #[inline(never)]
    fn next_type(&mut self) -> Option<AuthType<'a>> {
        self.items.next_text().map(AuthType::from_text)
    }
}

impl<'a> Iterator for Stages<'a> {
    type Item = AuthType<'a>;

    #[inline]
    fn next(&mut self) -> Option<AuthType<'a>> {
        if self.known != 0 {
            return Numbers::next(&mut self.known);
        }
        if self.items.is_empty() { None } else { self.next_type() }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::wire::{ChallengeBody, ParseError};

    /// Flows as they mostly are, without white space, are read in a shorter way.
    #[test]
    fn flows_are_read_and_checked_alike_however_they_are_spaced() {
        let names = |body: &str| {
            let challenge = ChallengeBody::parse(body.as_bytes())?;
            Ok::<_, ParseError>(
                challenge.flows().map(|flow| flow.stages().map(|it| it.to_string()).collect()).collect(),
            )
        };
        let flow = |stages: &[&str]| stages.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
        for (flows, read) in [
            (
                r#"[{"stages":["a","m.login.dummy"]},{"stages":["]}"]}]"#,
                Ok(vec![flow(&["a", "m.login.dummy"]), flow(&["]}"])]),
            ),
            (
                r#"[{"stages":["a"]},{"stages":[]},{"stages":["b"],"x":1},7]"#,
                Ok(vec![flow(&["a"]), flow(&[]), flow(&["b"])]),
            ),
            (r#"[{"stages":["a",1]},{"x":["b"]},{"stages":"c"}]"#, Ok(vec![flow(&["a"])])),
            (r#"{"stages":["a"]}"#, Ok(vec![])),
            (r#""a""#, Ok(vec![])),
            (r#"[{"stages":["a"]},{"stages":["b"],"stages":["b"]}]"#, Err(ParseError::DuplicateKey)),
            (r#"[{"stages":["a","\ud800"]}]"#, Err(ParseError::LoneSurrogate)),
            (r#"[{"stages":["a",]}]"#, Err(ParseError::NotJson)),
            (r#"[{"stages":["a"]},]"#, Err(ParseError::NotJson)),
            (r#"[{"stages":["a"]}}"#, Err(ParseError::NotJson)),
        ] {
            assert_eq!(names(&format!(r#"{{"flows":{flows}}}"#)), read, "{flows}");
            let spaced = flows.replace(',', " , ").replace(':', " : ").replace('[', "[ ");
            assert_eq!(names(&format!(r#"{{"flows" : {spaced} }}"#)), read, "{spaced}");
        }
        let beside = |count: usize| {
            let keys: Vec<_> = (0..count).map(|at| format!(r#""{at}":0,"#)).collect();
            names(&format!(r#"{{{}"flows":[{{"stages":["a"]}}]}}"#, keys.concat()))
        };
        assert_eq!(beside(crate::wire::MAX_OPEN_KEYS - 2), Ok(vec![flow(&["a"])]));
        assert_eq!(beside(crate::wire::MAX_OPEN_KEYS - 1), Err(ParseError::TooManyKeys));
    }

    /// Those of the spec are read as numbers, as many as have a place, and names only where
    /// there is any other.
    #[test]
    fn stages_are_the_same_as_numbers_and_as_names() {
        let known = AuthType::KNOWN.iter().map(|stage| stage.name().as_str().unwrap());
        let mut lists: Vec<Vec<&str>> = known.clone().map(|name| vec![name]).collect();
        lists.extend((1..20).map(|len| known.clone().cycle().take(len).collect()));
        let odd = [
            "",
            "m",
            "m.login.",
            "m.login.passwor",
            "m.login.passwords",
            "m.login.terms ",
            "m.login.d\\u0075mmy",
            "m.login.\\\"",
            "m.oauth2",
            "org.matrix.cross_signing_reset",
            "org.example.pin",
        ];
        for name in odd {
            lists.extend([vec![name], vec!["m.login.terms", name], vec![name, "m.login.terms"]]);
            lists.push(known.clone().cycle().take(16).chain([name]).collect());
        }
        for names in lists {
            let list = format!(r#"["{}"]"#, names.join(r#"",""#));
            let flows = format!(r#"{{"flows":[{{"stages":{list}}},{{"stages":["m.login.dummy"]}}]}}"#);
            let challenge = ChallengeBody::parse(flows.as_bytes()).unwrap();
            let flows: Vec<_> = challenge.flows().collect();
            let by_name: Vec<_> = Stages::of(Some(Raw::trusted(&list))).collect();
            assert_eq!(flows.len(), 2, "{list}");
            assert_eq!(flows[0].stages().collect::<Vec<_>>(), by_name, "{list}");
            assert_eq!(flows[1].stages().collect::<Vec<_>>(), [AuthType::Dummy]);
            let plain = names.len() <= 16 && names.iter().all(|name| known.clone().any(|it| it == *name));
            assert_eq!(flows[0].known != 0, AS_NUMBERS && plain, "{list}");
        }
    }
}
