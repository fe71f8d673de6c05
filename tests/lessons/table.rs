//! The manual's list of lessons is true: every one has its row, and every row its tests.

use std::collections::BTreeSet;

use crate::test_names;

const LESSONS: &str = include_str!("../../src/manual/lessons.md");
/// How many lessons there are; each has its row.
const LESSONS_LEARNT: usize = 112;

/// The number of each row with the names of its tests.
fn rows() -> Vec<(usize, Vec<&'static str>)> {
    let row = |line: &'static str| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let number = cells[0].parse().ok()?;
        assert_eq!(cells.len(), 5, "{line}");
        // Every other piece between two grave accents stands inside of a pair.
        let names: Vec<_> = cells[4].split('`').skip(1).step_by(2).collect();
        Some((number, names))
    };
    LESSONS.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

fn tests() -> BTreeSet<String> {
    ["src", "tests", "examples"].into_iter().flat_map(test_names::below).collect()
}

#[test]
fn every_lesson_has_one_row() {
    let mut numbers: Vec<_> = rows().into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=LESSONS_LEARNT).collect::<Vec<_>>());
}

#[test]
fn every_test_that_a_row_names_is_there_and_one_bears_its_number() {
    let tests = tests();
    for (number, named) in rows() {
        for name in &named {
            assert!(tests.contains(*name), "{number}: there is no test {name}");
        }
        let prefix = format!("lesson_{number:02}_");
        let has = named.iter().any(|name| name.starts_with(&prefix));
        assert!(has, "{number} has no test");
    }
}

#[test]
fn every_test_of_a_lesson_stands_in_its_row() {
    let rows = rows();
    for test in tests() {
        let rest = test.strip_prefix("lesson_");
        let Some((number, _)) = rest.and_then(|rest| rest.split_once('_')) else { continue };
        let named =
            rows.iter().any(|(row, named)| number.parse() == Ok(*row) && named.contains(&test.as_str()));
        assert!(named, "{test} is in no row of its number");
    }
}
