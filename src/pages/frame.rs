//! What all pages have in common: the skeleton around their content.

use core::fmt::{self, Write};

use super::Nonce;
use super::position::InText;

const STYLE: &str = include_str!("style.css");

/// A page being written. Its pieces are fixed text, or values in their positions.
pub(super) struct Frame<'w> {
    pub(super) out: &'w mut dyn Write,
    pub(super) nonce: Nonce,
}

impl<'w> Frame<'w> {
    /// Begins a page. Its title is its heading.
    pub(super) fn begin(out: &'w mut dyn Write, nonce: Nonce, title: &str) -> Result<Self, fmt::Error> {
        let title = InText(title);
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
             <style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        )?;
        Ok(Self { out, nonce })
    }

    /// What went wrong, read out as soon as the page is there.
    pub(super) fn problem(&mut self, text: &str) -> fmt::Result {
        writeln!(self.out, "<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>", InText(text))
    }

    pub(super) fn paragraph(&mut self, text: &str) -> fmt::Result {
        writeln!(self.out, "<p>{}</p>", InText(text))
    }

    pub(super) fn note(&mut self, text: &str) -> fmt::Result {
        writeln!(self.out, "<p class=\"note\">{}</p>", InText(text))
    }

    /// A script of ours.
    pub(super) fn script(&mut self, script: &str) -> fmt::Result {
        write!(self.out, "<script nonce=\"{}\">\n{script}</script>\n", self.nonce)
    }

    pub(super) fn end(self) -> fmt::Result {
        self.out.write_str("</main>\n</body>\n</html>\n")
    }
}

/// The first thing to type into is where the keyboard is.
pub(super) const FOCUS: &str = " autofocus";
