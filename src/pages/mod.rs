//! The web pages of the [fallback] mechanism, of [login fallback], and behind the link of
//! a validation message.
//!
//! ```text
//!  GET auth/<type>/fallback/web?session=  ─► PageExchange     ─► Page::Stage
//!  POST, the page's form ─► Form ─► AuthData ─► PageExchange ─► Page::Done, or Stage again
//!  GET static/client/login/               ─► Page::Login
//!  GET submit_url?sid&client_secret&token ─► Page::Link ─► POST ─► Page::Linked
//!
//!  Page + Nonce ─► Document: status, headers, text
//! ```
//!
//! A page is a value; a [`Document`] writes it to any [`core::fmt::Write`]. Whatever came
//! from anybody is written by the type of the position it stands in, so that no value ends
//! its own; and should one ever get out, the `Content-Security-Policy` runs no script
//! without the [`Nonce`] of this very answer.
//!
//! Pages need no network beyond the server, but for the captcha's own script; where that
//! can't be loaded, its response is typed into a field. They work with the keyboard alone,
//! and are light or dark as the browser is. A `GET` changes nothing (rule F5).
//!
//! # For whom a page is
//!
//! Whoever knows the ID of a session may see the pages of its stages and fill them in:
//! that is what the ID is for. `POST`s that another site had a browser make
//! (`Sec-Fetch-Site: cross-site`) are the host's to refuse.
//!
//! ```
//! use matrix_uia::pages::{Document, Nonce, Page};
//! let nonce = Nonce::from_entropy([7; 18]); // from the host's generator, for each answer
//! let document = Document::new(Page::Done, nonce);
//! let mut html = String::new();
//! document.write(&mut html)?;
//! assert_eq!(document.status(), 200);
//! assert!(html.contains("window.opener.postMessage(\"authDone\", \"*\")"));
//! # Ok::<(), core::fmt::Error>(())
//! ```
//!
//! [fallback]: https://spec.matrix.org/v1.19/client-server-api/#fallback
//! [login fallback]: https://spec.matrix.org/v1.19/client-server-api/#login-fallback

mod form;
mod frame;
mod header;
mod language;
mod link;
mod login;
mod nonce;
mod position;
mod stage;
mod terms;

pub use crate::wire::WebUrl;
pub use form::{Form, FormError, MAX_FIELDS};
pub use header::HeaderValue;
pub use language::Languages;
pub use link::LinkPage;
pub use login::LoginPage;
pub use nonce::Nonce;
pub use stage::StagePage;

use core::fmt::{self, Write};

use crate::wire::error::MatrixError;
use frame::Frame;
use header::{Needs, Policy};

/// One page.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Page<'a> {
    /// The page of a stage.
    Stage(StagePage<'a>),
    /// The stage has passed: the page tells the client with the spec's script. That is a
    /// hint; whether it is true, only the server knows.
    Done,
    /// There is no such page for this visitor: an unknown session, a stage whose turn it
    /// isn't, an account that may not go on.
    Refused(MatrixError),
    /// The login fallback.
    Login(LoginPage<'a>),
    /// What the link in a validation message opens.
    Link(LinkPage<'a>),
    /// The address has been confirmed. The client's `next_link`, if it gave one.
    Linked(Option<WebUrl<'a>>),
}

/// A page with the nonce of its answer: its status, its headers, its text.
#[derive(Clone, Copy, Debug)]
#[must_use = "a document is to be sent"]
pub struct Document<'a> {
    page: Page<'a>,
    nonce: Nonce,
}

impl<'a> Document<'a> {
    /// The document of a page. The nonce is a new one for each.
    pub const fn new(page: Page<'a>, nonce: Nonce) -> Self {
        Self { page, nonce }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match &self.page {
            Page::Stage(page) => page.status(),
            Page::Refused(reject) => reject.status(),
            Page::Done | Page::Login(_) | Page::Link(_) | Page::Linked(_) => 200,
        }
    }

    /// Every header it is to be sent with.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let (needs, retry_after) = match &self.page {
            Page::Stage(page) => (page.needs(), page.retry_after()),
            Page::Refused(reject) => (Needs::Form, reject.retry_after_secs()),
            Page::Login(_) => (Needs::Script, None),
            Page::Link(page) => (page.needs(), None),
            Page::Done | Page::Linked(_) => (Needs::Form, None),
        };
        header::all(Policy { nonce: self.nonce, needs }, retry_after)
    }

    /// Writes the page.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut frame = Frame::begin(out, self.nonce, self.title())?;
        match &self.page {
            Page::Stage(page) => page.write(&mut frame)?,
            Page::Done => {
                frame.paragraph("You can close this window and go back to your app.")?;
                frame.script(include_str!("done.js"))?;
            }
            Page::Refused(reject) => {
                frame.problem(reject.message())?;
                frame.paragraph("Go back to your app, and try again from there.")?;
            }
            Page::Login(page) => page.write(&mut frame)?,
            Page::Link(page) => page.write(&mut frame)?,
            Page::Linked(next) => link::write_linked(&mut frame, *next)?,
        }
        frame.end()
    }

    const fn title(&self) -> &'static str {
        match &self.page {
            Page::Stage(page) => page.title(),
            Page::Done => "Done",
            Page::Refused(_) => "This can’t go on",
            Page::Login(_) => "Sign in",
            Page::Link(_) => "Confirm your address",
            Page::Linked(_) => "Address confirmed",
        }
    }
}
