//! The manual's list of rules is true: every rule has a test that carries its number, here
//! or in the example's tests, and every number that a test carries is a rule's.

use std::collections::BTreeSet;

use crate::test_names;

const RULES: &str = include_str!("../../src/manual/rules.md");

/// `U13`, from the items of the page: `- U13.2 …`.
fn rules() -> BTreeSet<String> {
    let item = |line: &str| Some(line.strip_prefix("- ")?.split_once(' ')?.0.split_once('.')?.0.to_owned());
    RULES.lines().filter_map(item).collect()
}

/// The rules whose numbers a test's name begins with: `r01_r07_…` is of two. With `two`
/// digits, as the tests of this folder write them.
fn carried(name: &str, two: bool) -> Vec<String> {
    let rule = |part: &str| {
        let (section, number) = (part.get(..1)?, part.get(1..)?);
        let known = "uprdalefc".contains(section) && number.chars().all(|digit| digit.is_ascii_digit());
        // Rules are counted from 1: `r0` is a version of the API.
        let number: u8 = number.parse().ok().filter(|number| known && *number > 0)?;
        assert!(!two || part.len() == 3, "{name}: a rule's number has two digits in a test's name");
        Some(format!("{}{number}", section.to_uppercase()))
    };
    name.split('_').map_while(rule).collect()
}

#[test]
fn every_rule_has_a_test_that_carries_its_number() {
    let here = test_names::below("tests/behaviour").into_iter().map(|name| carried(&name, true));
    let served = ["examples/tests", "examples/homeserver/src/tests"].into_iter().flat_map(test_names::below);
    let carry: BTreeSet<_> = here.chain(served.map(|name| carried(&name, false))).flatten().collect();
    let rules = rules();
    let unknown: Vec<_> = carry.difference(&rules).collect();
    assert!(unknown.is_empty(), "there are no such rules: {unknown:?}");
    let without: Vec<_> = rules.difference(&carry).collect();
    assert!(without.is_empty(), "rules without a test: {without:?}");
}

#[test]
fn the_items_of_the_rules_are_counted_without_a_gap() {
    let mut last = (String::new(), 0);
    let items = RULES.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(' '));
    for (rule, number) in items.filter_map(|(label, _)| label.split_once('.')) {
        let number: u32 = number.parse().unwrap();
        let expected = if last.0 == rule { last.1 + 1 } else { 1 };
        assert_eq!(number, expected, "{rule}");
        last = (rule.to_owned(), number);
    }
    assert!(rules().len() > 70, "the page has another form");
}
