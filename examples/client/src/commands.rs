//! The commands: which call each is, and what it sends.

use crate::args::{
    Args, Command, Deactivate, DeleteDevices, Device, Login, Password, Refresh, Register, Reset,
};
use crate::ask::Ask;
use crate::flow::{Call, Flow, RETRIES};
use crate::http::Http;
use crate::output::End;
use crate::prompts::Answers;
use crate::resume::File;
use crate::screen::Screen;
use crate::secrets;
use matrix_uia::client::{Credential, SessionImpact};
use matrix_uia::endpoint::EndpointPath;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::devices::DeleteDevicesRequest;
use matrix_uia::endpoint::login::{Attempt, LoginRequest};
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::endpoint::refresh::RefreshRequest;
use matrix_uia::endpoint::register::RegisterRequest;
use matrix_uia::wire::{AuthType, UserIdentifier};
use matrix_uia::{Secret, Text};
use serde_json::Value;
use std::fmt::{self, Write as _};

/// What a new device is called in its owner's list.
const DEVICE_NAME: &str = "matrix-uia client";

/// Carries out the command; the answer's body.
pub fn run(args: &Args) -> Result<Value, End> {
    let http = Http::new(args.homeserver().map_err(End::Usage)?);
    let somebody = !args.non_interactive;
    let mut run = Run { flow: Flow { http: &http, screen: Screen::new(), somebody }, refresh_token: None };
    run.refresh_token = secrets::from_environment(secrets::REFRESH_TOKEN)?.map(sound).transpose()?;
    match &args.command {
        Command::Register(register) => run.register(register),
        Command::Login(login) => run.login(login),
        Command::Refresh(refresh) => run.refresh(refresh),
        Command::Whoami => run.by_token(EndpointPath::WHOAMI),
        Command::Devices => run.by_token(EndpointPath::DEVICES),
        Command::Logout => run.by_token(EndpointPath::LOGOUT),
        Command::LogoutAll => run.by_token(EndpointPath::LOGOUT_ALL),
        Command::Password(password) => run.password(password),
        Command::Reset(reset) => run.reset(reset),
        Command::Deactivate(deactivate) => run.deactivate(deactivate),
        Command::DeleteDevices(devices) => run.delete_devices(devices),
    }
}

struct Run<'f> {
    flow: Flow<'f>,
    /// What an access token that has run out is renewed with, once.
    refresh_token: Option<String>,
}

impl Run<'_> {
    fn register(&mut self, args: &Register) -> Result<Value, End> {
        let Register { user, email, registration_token, accept_terms, device, resume } = args;
        let password = self.new_secret(secrets::PASSWORD, "Password of the new account")?;
        let mut request = RegisterRequest::default();
        request.username = Some(Text::new(user));
        request.password = Some(Secret::new(&password));
        let Device { device_id, refresh } = device;
        request.device_id = device_id.as_deref().map(Text::new);
        request.refresh_token = refresh.then_some(true);
        request.initial_device_display_name = Some(Text::new(DEVICE_NAME));
        let answers = Answers {
            registration_token: registration_token.clone().into(),
            accept_terms: *accept_terms,
            email: email.clone(),
            ..Answers::default()
        };
        let call = call(EndpointPath::REGISTER, None, |body| request.write(body))?;
        self.authenticated(call, user, answers, File::at(resume.file.as_deref()))
    }

    fn login(&mut self, args: &Login) -> Result<Value, End> {
        let Login { with, device: Device { device_id, refresh } } = args;
        let (user, email) = (with.user.as_deref(), with.email.as_deref());
        let identifier = user.map(|user| UserIdentifier::User(Text::new(user))).or_else(|| {
            let (medium, address) = (Text::new("email"), Text::new(email?));
            Some(UserIdentifier::Thirdparty { medium, address })
        });
        let password = match (identifier, user.or(email)) {
            (Some(_), Some(who)) => self.secret(
                secrets::PASSWORD,
                &format!("Password of {who}: "),
                &AuthType::Password.name().to_string(),
            )?,
            _ => String::new(),
        };
        let with = match (identifier, &with.token) {
            (Some(identifier), _) => Attempt::Password { identifier, password: Secret::new(&password) },
            (None, token) => Attempt::Token { token: Secret::new(token.as_deref().unwrap_or_default()) },
        };
        let mut login = LoginRequest::new(with);
        login.device_id = device_id.as_deref().map(Text::new);
        login.refresh_token = refresh.then_some(true);
        login.initial_device_display_name = Some(Text::new(DEVICE_NAME));
        let call = call(EndpointPath::LOGIN, None, |body| login.write(body))?;
        self.flow.plain(&call, 0)
    }

    fn refresh(&mut self, args: &Refresh) -> Result<Value, End> {
        self.trade(&args.refresh_token)
    }

    fn trade(&mut self, refresh_token: &str) -> Result<Value, End> {
        let refresh = RefreshRequest::new(Secret::new(refresh_token));
        let mut call = call(EndpointPath::REFRESH, None, |body| refresh.write(body))?;
        call.credential = Credential::RefreshToken;
        self.flow.plain(&call, 0)
    }

    fn by_token(&mut self, endpoint: EndpointPath) -> Result<Value, End> {
        let call = call(endpoint, Some(self.token()?), |body| body.write_str("{}"))?;
        let retries = if endpoint.method == "GET" { RETRIES } else { 0 };
        self.renewing(call, |flow, call| flow.plain(call, retries))
    }

    fn authenticated(
        &mut self,
        call: Call,
        who: &str,
        mut answers: Answers,
        mut file: File,
    ) -> Result<Value, End> {
        self.renewing(call, |flow, call| {
            answers.for_another_call();
            flow.authenticated(call, who, &mut answers, &mut file)
        })
    }

    /// Makes a call; if its token has run out, trades the refresh token and makes it once more. The new tokens
    /// are printed with the answer, whatever that is: nobody else has them.
    fn renewing(
        &mut self,
        mut call: Call,
        mut make: impl FnMut(&mut Flow<'_>, &Call) -> Result<Value, End>,
    ) -> Result<Value, End> {
        let held = self.refresh_token.take().filter(|_| call.token.is_some());
        if held.is_some() {
            call.credential = Credential::Refreshable;
        }
        let first = make(&mut self.flow, &call);
        let (Some(refresh_token), Err(End::Refused { meaning: SessionImpact::Refresh, .. })) = (held, &first)
        else {
            return first;
        };
        let renewed = self.trade(&refresh_token)?;
        let token = renewed.get("access_token").and_then(Value::as_str).unwrap_or_default();
        let Ok(token) = sound(token.to_owned()) else {
            // The server's fault, and not that of whoever called: what it gave is printed all the same.
            let end = Box::new(End::Network("the new access token has characters that none has".to_owned()));
            return Err(End::Renewed { end, renewed });
        };
        (call.token, call.credential) = (Some(token), Credential::AccessToken);
        match make(&mut self.flow, &call) {
            Ok(Value::Object(mut body)) => {
                body.insert("refreshed".to_owned(), renewed);
                Ok(Value::Object(body))
            }
            Err(end) => Err(End::Renewed { end: Box::new(end), renewed }),
            other => other,
        }
    }

    fn password(&mut self, args: &Password) -> Result<Value, End> {
        let Password { who, keep_devices } = args;
        let token = self.token()?;
        let new_password = self.new_secret(secrets::NEW_PASSWORD, "New password")?;
        let call = change_password(Some(token), &new_password, *keep_devices)?;
        let answers = Answers::of_user(who, secrets::from_environment(secrets::PASSWORD)?);
        self.authenticated(call, &who.user, answers, File::at(who.resume.file.as_deref()))
    }

    fn reset(&mut self, args: &Reset) -> Result<Value, End> {
        let Reset { email, keep_devices, resume } = args;
        let new_password = self.new_secret(secrets::NEW_PASSWORD, "New password")?;
        let call = change_password(None, &new_password, *keep_devices)?;
        let answers = Answers { email: Some(email.clone()), ..Answers::default() };
        self.authenticated(call, email, answers, File::at(resume.file.as_deref()))
    }

    fn deactivate(&mut self, args: &Deactivate) -> Result<Value, End> {
        let Deactivate { who, erase, id_server } = args;
        let mut request = DeactivateRequest::default();
        request.erase = erase.then_some(true);
        request.id_server = id_server.as_deref().map(Text::new);
        // Without a token it is another call, which some servers take.
        let token = self.token_of_the_environment()?;
        let call = call(EndpointPath::DEACTIVATE, token, |body| request.write(body))?;
        let answers = Answers::of_user(who, secrets::from_environment(secrets::PASSWORD)?);
        self.authenticated(call, &who.user, answers, File::at(who.resume.file.as_deref()))
    }

    fn delete_devices(&mut self, args: &DeleteDevices) -> Result<Value, End> {
        let DeleteDevices { ids, who } = args;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let request = DeleteDevicesRequest::new(&ids);
        let call = call(EndpointPath::DELETE_DEVICES, Some(self.token()?), |body| request.write(body))?;
        let answers = Answers::of_user(who, secrets::from_environment(secrets::PASSWORD)?);
        self.authenticated(call, &who.user, answers, File::at(who.resume.file.as_deref()))
    }

    fn token(&self) -> Result<String, End> {
        match self.token_of_the_environment()? {
            Some(token) => Ok(token),
            None => sound(self.secret(secrets::ACCESS_TOKEN, "Access token: ", secrets::ACCESS_TOKEN)?),
        }
    }

    fn token_of_the_environment(&self) -> Result<Option<String>, End> {
        secrets::from_environment(secrets::ACCESS_TOKEN)?.map(sound).transpose()
    }

    /// A secret that there is already; `missing` is what is said where nobody gives it.
    fn secret(&self, name: &str, question: &str, missing: &str) -> Result<String, End> {
        let asked = || Ask.hidden(question).filter(|_| self.flow.somebody);
        let missing = || End::missing(missing);
        match secrets::from_environment(name)? {
            Some(secret) => Ok(secret),
            None if self.flow.somebody => asked().ok_or_else(missing),
            None => Err(missing()),
        }
    }

    /// A secret that is made now: whoever types it unseen types it twice.
    fn new_secret(&self, name: &str, question: &str) -> Result<String, End> {
        if let Some(secret) = secrets::from_environment(name)? {
            return Ok(secret);
        }
        loop {
            let secret = self.secret(name, &format!("{question}: "), name)?;
            if self.secret(name, "The same again: ", name)? == secret {
                return Ok(secret);
            }
            self.flow.screen.say("Not the same.");
        }
    }
}

/// A token stands in a header: nothing but what may stand there.
fn sound(token: String) -> Result<String, End> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(End::Usage(format!("{}: not a token; it has characters that none has", secrets::ACCESS_TOKEN)))
}

fn change_password(token: Option<String>, new_password: &str, keep_devices: bool) -> Result<Call, End> {
    let mut request = ChangePasswordRequest::default();
    request.new_password = Some(Secret::new(new_password));
    request.logout_devices = Some(!keep_devices);
    call(EndpointPath::PASSWORD, token, |body| request.write(body))
}

fn call(
    endpoint: EndpointPath,
    token: Option<String>,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> Result<Call, End> {
    let mut body = String::new();
    write(&mut body).map_err(|_| End::Usage("the request can't be written".to_owned()))?;
    let credential = if token.is_some() { Credential::AccessToken } else { Credential::Nothing };
    Ok(Call { endpoint, token, credential, body })
}
