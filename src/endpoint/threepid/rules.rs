//! The bounds of a validation.

use crate::time::Millis;

/// How long validations live, and how many wrong tokens they take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationRules {
    /// How long a validation lives from the last message, from its being validated and
    /// from its being claimed. Default: 15 minutes, as long as a UIA session; shorter than
    /// that it could end before the session that has claimed it.
    pub lifetime: Millis,
    /// How many wrong tokens it takes: the last one ends it. What a person types in can be
    /// guessed. Default: 10.
    pub max_wrong_tokens: u16,
}

impl Default for ValidationRules {
    fn default() -> Self {
        Self { lifetime: Millis::from_secs(900), max_wrong_tokens: 10 }
    }
}
