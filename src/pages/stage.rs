//! The page of a stage: what is about to happen, for whom, and the form that passes it.
//!
//! ```text
//!  GET  ─► StagePage ─► form ─► POST ─► Form::auth_data ─► PageExchange ─► Done
//!              ▲                                                │
//!              └────────────── because(reason) ◄────────────────┘
//! ```

use core::fmt;

use super::frame::{FOCUS, Frame};
use super::header::Needs;
use super::position::{InAttribute, InText};
use super::{Languages, terms};
use crate::secret::Secret;
use crate::server::flows::TermsVersion;
use crate::server::page::{PagePolicy, PageRequest};
use crate::server::page_outcome::PageRefusal;
use crate::server::sealed::SessionName;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::{AuthType, Raw};

/// The [fallback page] of a stage.
///
/// It shows nothing that isn't the policy's, the session's or the host's. Showing it
/// changes nothing; its form is sent by `POST` to the page's own address.
///
/// [fallback page]: https://spec.matrix.org/v1.19/client-server-api/#fallback
#[derive(Clone, Copy, Debug)]
#[must_use = "a page is to be written"]
pub struct StagePage<'a> {
    session: SessionName<'a>,
    auth_type: AuthType<'a>,
    description: &'static str,
    params: Option<Raw<'a>>,
    terms: TermsVersion,
    user: Option<&'a str>,
    languages: Languages<'a>,
    problem: Option<Problem>,
    sent: Option<Sent<'a>>,
}

/// Why the page is shown again.
#[derive(Clone, Copy, Debug)]
struct Problem {
    reject: MatrixError,
    status: u16,
    /// What was typed in is at fault.
    typed: bool,
}

/// A message is on its way, whose link is to be followed.
#[derive(Clone, Copy, Debug)]
struct Sent<'a> {
    sid: Text<'a>,
    client_secret: Secret<'a>,
}

impl<'a> StagePage<'a> {
    /// The page of the stage that somebody visits.
    pub fn new(policy: &PagePolicy<'a>, visit: PageRequest<'a>) -> Self {
        Self {
            session: visit.session(),
            auth_type: visit.auth_type(),
            description: policy.description(),
            params: policy.params(visit.auth_type()),
            terms: policy.terms(),
            user: None,
            languages: Languages::default(),
            problem: None,
            sent: None,
        }
    }

    /// For the session's [user](crate::Session::user), whose full ID this is: who confirms
    /// has to see for whom (rule F3).
    pub const fn of_user(mut self, user: Option<&'a str>) -> Self {
        self.user = user;
        self
    }

    /// For somebody who wants these languages. The page itself is in English; documents
    /// are linked to in the language that is wanted most.
    pub const fn in_languages(mut self, languages: Languages<'a>) -> Self {
        self.languages = languages;
        self
    }

    /// Again, because the stage has not passed.
    pub const fn because(mut self, reason: PageRefusal) -> Self {
        let reject = reason.error();
        let status = match reason {
            // That a link hasn't been followed yet is no error of anybody's.
            PageRefusal::Pending => 200,
            _ => reject.status(),
        };
        let typed =
            matches!(reason, PageRefusal::Failed(_) | PageRefusal::Malformed(_) | PageRefusal::WrongUser);
        self.problem = Some(Problem { reject, status, typed });
        self
    }

    /// Again, because nothing can be sent to the address that was typed in.
    pub const fn not_sent(mut self, reject: MatrixError) -> Self {
        self.problem = Some(Problem { reject, status: reject.status(), typed: true });
        self
    }

    /// The e-mail or SMS of an address's stage has been sent, and is validated under this
    /// `sid`. The page asks to follow its link.
    pub const fn sent(mut self, sid: Text<'a>, client_secret: Secret<'a>) -> Self {
        self.sent = Some(Sent { sid, client_secret });
        self
    }

    pub(super) const fn status(&self) -> u16 {
        match self.problem {
            Some(problem) => problem.status,
            None => 200,
        }
    }

    pub(super) fn retry_after(&self) -> Option<u64> {
        self.problem.and_then(|problem| problem.reject.retry_after_secs())
    }

    pub(super) const fn needs(&self) -> Needs {
        match self.auth_type {
            AuthType::Recaptcha => Needs::Captcha,
            _ => Needs::Form,
        }
    }

    pub(super) const fn title(&self) -> &'static str {
        match (self.auth_type, &self.sent) {
            (AuthType::Password, _) => "Enter your password",
            (AuthType::Recaptcha, _) => "Show that you are human",
            (AuthType::Terms, _) => "Read and accept the terms",
            (AuthType::RegistrationToken, _) => "Enter your registration token",
            (AuthType::EmailIdentity, None) => "Confirm your e-mail address",
            (AuthType::EmailIdentity, Some(_)) => "Check your e-mail",
            (AuthType::Msisdn, None) => "Confirm your phone number",
            (AuthType::Msisdn, Some(_)) => "Check your messages",
            (AuthType::Dummy, _) => "Continue",
            (AuthType::Sso | AuthType::OAuth | AuthType::Custom(_), _) => "Confirm that it is you",
        }
    }

    pub(super) fn write(&self, frame: &mut Frame<'_>) -> fmt::Result {
        if let Some(problem) = self.problem {
            frame.problem(problem.reject.message())?;
        }
        self.write_context(frame)?;
        if matches!(self.auth_type, AuthType::Terms) {
            terms::write(frame, self.params, self.languages)?;
        }
        frame.out.write_str("<form method=\"post\" accept-charset=\"utf-8\">\n")?;
        hidden(frame, "session", self.session.expose())?;
        self.write_fields(frame)?;
        write!(frame.out, "<button type=\"submit\">{}</button>\n</form>\n", InText(self.button()))?;
        match self.auth_type {
            AuthType::Recaptcha => frame.script(include_str!("captcha.js")),
            AuthType::Sso | AuthType::OAuth | AuthType::Custom(_) => frame.note(
                "If you did not expect this, don’t confirm it: somebody may be using your account. \
                 Close this window and change your password.",
            ),
            _ => Ok(()),
        }
    }

    /// What is about to happen, and for whom: before anything happens.
    fn write_context(&self, frame: &mut Frame<'_>) -> fmt::Result {
        let out = &mut frame.out;
        writeln!(out, "<p>You are about to <strong>{}</strong>.</p>", InText(self.description))?;
        if self.user.is_none() && !matches!(self.auth_type, AuthType::Custom(_)) {
            return Ok(());
        }
        out.write_str("<dl>\n")?;
        if let Some(user) = self.user {
            writeln!(out, "<dt>Account</dt><dd>{}</dd>", InText(user))?;
        }
        if let AuthType::Custom(name) = self.auth_type {
            writeln!(out, "<dt>Step</dt><dd>{}</dd>", InText(name))?;
        }
        out.write_str("</dl>\n")
    }

    fn write_fields(&self, frame: &mut Frame<'_>) -> fmt::Result {
        match (self.auth_type, &self.sent) {
            (AuthType::Password, _) => {
                match self.user {
                    // For a password manager: it looks for a name beside the password.
                    Some(user) => writeln!(
                        frame.out,
                        "<input type=\"text\" name=\"user\" value=\"{}\" autocomplete=\"username\" hidden>",
                        InAttribute(user),
                    )?,
                    None => self.input(
                        frame,
                        "User name",
                        "type=\"text\" name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" autofocus",
                    )?,
                }
                let focus = if self.user.is_some() { FOCUS } else { "" };
                self.field(
                    frame,
                    "Password",
                    "type=\"password\" name=\"password\" autocomplete=\"current-password\"",
                    focus,
                )
            }
            (AuthType::Recaptcha, _) => self.captcha(frame),
            (AuthType::RegistrationToken, _) => self.input(
                frame,
                "Registration token",
                "type=\"text\" name=\"token\" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"80\" autofocus",
            ),
            (AuthType::Terms, _) => hidden(frame, "terms", self.terms),
            (AuthType::EmailIdentity | AuthType::Msisdn, Some(sent)) => {
                frame.paragraph("We have sent you a message. Follow its link, then come back here.")?;
                hidden(frame, "sid", sent.sid)?;
                hidden(frame, "client_secret", sent.client_secret.expose())
            }
            (AuthType::EmailIdentity, None) => self.input(
                frame,
                "E-mail address",
                "type=\"email\" name=\"email\" autocomplete=\"email\" maxlength=\"255\" autofocus",
            ),
            (AuthType::Msisdn, None) => {
                self.input(
                    frame,
                    "Country, in two letters",
                    "type=\"text\" name=\"country\" autocomplete=\"country\" minlength=\"2\" maxlength=\"2\" autofocus",
                )?;
                self.input(
                    frame,
                    "Phone number",
                    "type=\"tel\" name=\"phone_number\" autocomplete=\"tel-national\" maxlength=\"64\"",
                )
            }
            (AuthType::Dummy | AuthType::Sso | AuthType::OAuth | AuthType::Custom(_), _) => Ok(()),
        }
    }

    /// The captcha, and a field to do without its script.
    fn captcha(&self, frame: &mut Frame<'_>) -> fmt::Result {
        let mut key = None;
        if let Some(params) = self.params {
            // The params were checked when the policy was built: they are JSON.
            let _ = params.reader().object(|reader, name| {
                if name == "public_key" && reader.peek() == Some(b'"') {
                    key = Some(reader.text()?);
                    return Ok(());
                }
                reader.skip()
            });
        }
        let key = InAttribute(key.unwrap_or(Text::new("")));
        write!(frame.out, "<div id=\"captcha\" data-sitekey=\"{key}\"></div>\n<div id=\"plain\">\n")?;
        self.field(
            frame,
            "Captcha response",
            "type=\"text\" name=\"g-recaptcha-response\" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"",
            "",
        )?;
        frame.out.write_str("</div>\n")
    }

    fn input(&self, frame: &mut Frame<'_>, label: &str, attributes: &'static str) -> fmt::Result {
        self.field(frame, label, attributes, "")
    }

    /// A labelled field. Where the stage has failed, the field says that it is described
    /// by what went wrong.
    fn field(
        &self,
        frame: &mut Frame<'_>,
        label: &str,
        attributes: &'static str,
        focus: &'static str,
    ) -> fmt::Result {
        let wrong = match self.problem {
            Some(Problem { typed: true, .. }) => " aria-invalid=\"true\" aria-describedby=\"problem\"",
            _ => "",
        };
        // The label holds the field: no name is needed to tie them together.
        write!(frame.out, "<label>{}\n<input {attributes}{wrong}{focus} required></label>\n", InText(label),)
    }

    const fn button(&self) -> &'static str {
        match (self.auth_type, &self.sent) {
            (AuthType::Terms, _) => "Accept",
            (AuthType::EmailIdentity | AuthType::Msisdn, None) => "Send me a message",
            (AuthType::EmailIdentity | AuthType::Msisdn, Some(_)) => "I have followed the link",
            (AuthType::Sso | AuthType::OAuth | AuthType::Custom(_), _) => "Confirm",
            _ => "Continue",
        }
    }
}

/// A field that isn't shown.
pub(super) fn hidden(frame: &mut Frame<'_>, name: &'static str, value: impl fmt::Display) -> fmt::Result {
    writeln!(frame.out, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", InAttribute(value))
}
