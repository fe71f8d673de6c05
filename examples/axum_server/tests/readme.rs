//! The README shows this server, and nothing else in its place.

#[test]
fn the_readme_shows_the_handler_and_the_host_as_they_are() {
    let readme = include_str!("../../../README.md");
    let program = concat!(include_str!("../src/lib.rs"), include_str!("../src/host.rs"));
    let shown: Vec<_> =
        readme.split("```rust,ignore\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert_eq!(shown.len(), 2, "the handler and the host");
    for part in &shown {
        assert!(program.contains(part), "not in the program:\n{part}");
    }
    let handler = shown[0];
    assert!(handler.contains("async fn change_password") && handler.lines().count() <= 25, "{handler}");
    assert!(shown[1].contains("Host<'r, E> for Transaction<'_>"));
}
