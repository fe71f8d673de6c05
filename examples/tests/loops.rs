//! What a host or a client has to write itself: the loops of the examples, which are to stay small.

/// The lines of the loop that is indented like this, its first and its last among them.
fn loop_of(program: &str, indent: &str) -> usize {
    let (first, last) = (format!("{indent}loop {{"), format!("{indent}}}"));
    let from_the_loop = program.lines().skip_while(|line| *line != first);
    let before_its_end = from_the_loop.take_while(|line| *line != last).count();
    assert!(before_its_end > 1, "there is a loop");
    before_its_end + 1
}

/// Without matrix-sdk, which takes minutes to build.
#[test]
fn the_loop_that_drives_an_sdk_has_at_most_25_lines() {
    let lines = loop_of(include_str!("../sdk_client/src/authenticate.rs"), "    ");
    assert!(lines <= 25, "{lines}");
}
