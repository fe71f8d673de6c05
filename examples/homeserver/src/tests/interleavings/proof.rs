//! Validations of addresses, as they are once a message was sent or its token has come back.

use crate::app::App;
use crate::db::{Result, Tx, validations};
use matrix_uia::Secret;
use matrix_uia::endpoint::threepid::{
    Delivery, Purpose, Requested, Submitted, Threepid, TokenRequestKey, Validation,
};

/// Keeps a validation of an address, whose message's token has come back.
pub fn validate(tx: &Tx, app: &App, sid: &str, purpose: Purpose, email: &Threepid) -> Result<()> {
    let (asked, sent) = ask(app, purpose, email);
    let (key, rules, now) = (&app.policies.key, &app.policies.validations, app.clock.now());
    let (secret, token) = (Secret::new("monkeys"), key.validation_token(Secret::new("token")));
    let Submitted::Validated(validated) =
        Validation::submit(Some(sent), key.client_secret(secret), token, rules, now)
    else {
        panic!("the token is right")
    };
    validations::insert(tx, sid, asked.identity(), &validated, None, rules)
}

/// A validation of an address that was asked for with `monkeys`, and whose message has the token `token`.
pub fn ask(app: &App, purpose: Purpose, email: &Threepid) -> (TokenRequestKey, Validation) {
    let (key, rules, now) = (&app.policies.key, &app.policies.validations, app.clock.now());
    let (secret, token) = (Secret::new("monkeys"), key.validation_token(Secret::new("token")));
    let asked = TokenRequestKey::new(key, purpose, None, email.clone(), secret, 1);
    let addresses = &app.policies.addresses;
    let Requested::New(sent) =
        Validation::request(None, &asked, Delivery::Token, token, addresses, rules, now)
    else {
        panic!("nobody has asked before")
    };
    (asked, sent)
}
