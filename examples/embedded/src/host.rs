//! The host in the place of the board.

/// Writes to the standard output.
#[cfg(feature = "answers")]
pub fn print(text: &str) {
    std::print!("{text}");
}
