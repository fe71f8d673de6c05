//! The names of the tests, for the tables that hold the manual to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all tests below a folder of the repository.
pub(crate) fn below(folder: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut names);
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#[") && pair[0].contains("test"))
            {
                let name = pair[1].trim_start_matches("async ").strip_prefix("fn ");
                names.extend(name.and_then(|name| Some(name.split_once('(')?.0.to_owned())));
            }
        }
    }
}
