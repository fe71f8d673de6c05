//! What must hold when all requests of a run are over.

use super::client::{Client, OLD, Want, keys};
use super::polled::finish;
use super::scene::{LONG, Scene, USES};
use crate::db::users::{self, Phase, User};
use crate::db::{devices, registration_tokens, threepids};
use crate::signing_keys;
use crate::tests::world::Answer;
use matrix_uia::endpoint::signing_keys::SigningKeyKind;
use proptest::prelude::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::json;

pub type Checked = Result<(), TestCaseError>;

impl Scene<'_> {
    pub fn goes_on_and_did_nothing_twice(&self) -> Checked {
        self.tidy();
        self.registrations()?;
        self.password("alice")?;
        self.password("erin")?;
        self.deactivation()?;
        self.address_and_devices()?;
        self.keys_and_login_tokens()?;
        self.requests_without_a_session()?;
        // A leap of the clock is believed when it has lasted for a minute.
        for ms in [LONG, 61_000] {
            self.stage.world.advance(ms);
            self.tidy();
        }
        let rows = |table: &str| -> u64 {
            self.ask(|tx| tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)))
        };
        for table in
            ["registration_token_reservations", "uia_sessions", "validations", "uia_records", "login_tokens"]
        {
            prop_assert_eq!(rows(table), 0, "{}", table);
        }
        prop_assert_eq!(self.stage.world.app.sessions.in_memory().unwrap_or_default(), []);
        self.invitations()
    }

    /// Every session of a registration goes on, and makes one account; or the token is used up.
    fn registrations(&self) -> Checked {
        for client in self.senders(Want::Register) {
            let answer = self.complete(client);
            match answer.status.as_u16() {
                200 => self.is_registered_once(client)?,
                // By a request of the same client's without a session.
                400 if answer.json()["errcode"] == "M_USER_IN_USE" => self.is_registered_once(client)?,
                status => {
                    prop_assert_eq!(status, 401, "{}", answer.text);
                    prop_assert!(self.used() >= USES, "{}", answer.text);
                }
            }
        }
        Ok(())
    }

    fn is_registered_once(&self, client: &Client) -> Checked {
        let user = self.user(&client.registers());
        prop_assert!(user.is_some(), "{} was answered with 200", client.registers());
        let devices = user.map(|user| self.ask(|tx| devices::list(tx, user.key)).len());
        prop_assert_eq!(devices, Some(1));
        Ok(())
    }

    /// After everything has run out: every use that no account was made with can be had.
    fn invitations(&self) -> Checked {
        if self.senders(Want::Register).next().is_none() {
            return Ok(());
        }
        let name = format!("bob%-{}", self.run);
        let count = "SELECT count(*) FROM users WHERE localpart LIKE ?1";
        let made: u64 = self.ask(|tx| tx.query_row(count, [&name], |row| row.get(0)));
        prop_assert_eq!(self.used(), made, "one use for each account");
        for number in made..=USES {
            let client = Client { number: 1_000 + number as usize, ..self.clients[0].clone() };
            let answer = self.complete(&client);
            prop_assert_eq!(answer.status.as_u16(), if number < USES { 200 } else { 401 }, "{}", answer.text);
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        let app = &self.stage.world.app;
        let token = format!("invitation{}", self.run);
        let known = app.config.registration_tokens.iter().find(|known| known.token.matches(&token)).unwrap();
        let (lifetime, now) = (app.policies.rules.session_lifetime, app.clock.now());
        self.ask(|tx| registration_tokens::used(tx, &known.token, lifetime, now))
    }

    /// All that could change it began with the old password or with one proof: one of them at most has.
    fn password(&self, user: &str) -> Checked {
        let clients: Vec<_> = self.all().filter(|client| client.user.starts_with(user)).collect();
        let name = &clients[0].user;
        let Some(found) = self.user(name) else { return Ok(()) };
        prop_assert!(found.epoch <= 1, "{} password changes", found.epoch);
        let works = self.working(name, &clients);
        prop_assert_eq!(works.len(), 1, "{:?}", works);
        prop_assert_eq!(works[0] == OLD, found.epoch == 0);
        if found.epoch == 0 {
            // An address may be claimed by the session of one of them.
            let answers: Vec<_> = clients.iter().map(|client| self.complete(client)).collect();
            prop_assert!(answers.iter().any(|answer| answer.status == 200), "{:?}", answers);
            prop_assert_eq!(self.user(name).map(|user| user.epoch), Some(1));
        }
        Ok(())
    }

    /// Those passwords of a user that work.
    fn working(&self, user: &str, clients: &[&Client]) -> Vec<String> {
        let app = &self.stage.world.app;
        let hash = self.ask(|tx| match users::by_localpart(tx, user)? {
            Some(user) => users::password_hash(tx, user.key),
            None => Ok(None),
        });
        let passwords =
            std::iter::once(OLD.to_owned()).chain(clients.iter().map(|client| client.new_password()));
        let works = |password: &String| finish(app.passwords.verify(password, hash.clone())).unwrap();
        passwords.filter(works).collect()
    }

    /// It is finished or has not begun.
    fn deactivation(&self) -> Checked {
        let clients: Vec<_> = self.all().filter(|client| client.user.starts_with("carol")).collect();
        let name = &clients[0].user;
        let Some(found) = self.user(name) else { return Ok(()) };
        let works = self.working(name, &clients);
        if found.phase == Phase::Active {
            prop_assert_eq!(works.len(), 1, "{:?}", works);
            let client = Client { password: works[0].clone(), ..clients[1].clone() };
            let answer = self.complete(&client);
            prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        } else {
            prop_assert_eq!(works.len(), 0, "{:?}", works);
        }
        let found = self.user(name).unwrap();
        prop_assert_eq!(found.phase, Phase::Deactivated);
        prop_assert!(found.epoch <= 3, "{}", found.epoch);
        prop_assert_eq!(self.ask(|tx| devices::list(tx, found.key)).len(), 0);
        prop_assert_eq!(self.ask(|tx| threepids::list(tx, found.key)).len(), 0);
        Ok(())
    }

    fn address_and_devices(&self) -> Checked {
        let adds: Vec<_> = self.all().filter(|client| client.want == Want::AddAddress).collect();
        let Some(dave) = self.user(&adds[0].user) else { return Ok(()) };
        let listed = || self.ask(|tx| threepids::list(tx, dave.key)).len();
        if listed() == 0 {
            let added = adds.iter().any(|client| self.complete(client).status == 200);
            prop_assert!(added, "its validation is somebody's for ever");
        }
        prop_assert_eq!(listed(), 1);
        for client in self.all().filter(|client| client.want == Want::DeleteDevices) {
            let answer = self.complete(client);
            prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        }
        let left = self.ask(|tx| devices::list(tx, dave.key));
        prop_assert_eq!(left.len(), 1, "its own");
        Ok(())
    }

    /// Frank's devices, his keys, and the tokens that he lets others log in with.
    fn keys_and_login_tokens(&self) -> Checked {
        let clients: Vec<_> = self.all().filter(|client| client.user.starts_with("frank")).collect();
        let Some(frank) = self.user(&clients[0].user) else { return Ok(()) };
        for client in clients.iter().filter(|client| client.want == Want::DeleteDevice) {
            let answer = self.complete(client);
            prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        }
        prop_assert_eq!(self.ask(|tx| devices::list(tx, frank.key)).len(), 1, "his own");
        let uploads: Vec<_> = clients.iter().filter(|client| client.want == Want::UploadKeys).collect();
        let numbers: Vec<_> = uploads.iter().map(|client| client.number).chain([1_000]).collect();
        self.keys_are_whole(&frank, &numbers)?;
        for client in &uploads {
            let answer = self.complete(client);
            prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        }
        // Which of the two was the later one is not known: an upload that has succeeded is only repeated.
        let numbers: Vec<_> = uploads.iter().map(|client| client.number).collect();
        self.keys_are_whole(&frank, &numbers)?;
        for client in clients.iter().filter(|client| client.want == Want::GetLoginToken) {
            let answer = self.complete(client);
            prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
            let token = answer.json()["login_token"].clone();
            let login = json!({ "type": "m.login.token", "token": token });
            let log_in = || finish(self.stage.world.post("login", None, login.clone())).status.as_u16();
            prop_assert_eq!((log_in(), log_in()), (200, 403), "a token logs in once");
        }
        Ok(())
    }

    /// All keys of a user came with one upload, which is one of these.
    fn keys_are_whole(&self, user: &User, numbers: &[usize]) -> Checked {
        let loaded = self.ask(|tx| signing_keys::load(tx, user.key));
        let stored = SigningKeyKind::ALL.iter().map(|kind| loaded.get(*kind).unwrap_or_default());
        let stored: Vec<serde_json::Value> = stored.map(|key| serde_json::from_str(key).unwrap()).collect();
        let is_of = |number: &usize| {
            let keys = keys(&user.localpart, *number);
            SigningKeyKind::ALL.iter().map(|kind| keys[kind.name()].clone()).eq(stored.iter().cloned())
        };
        prop_assert!(numbers.iter().any(is_of), "{:?} of {:?}", stored, numbers);
        Ok(())
    }

    /// A client that does what it is asked for, from where its session is.
    fn complete(&self, client: &Client) -> Answer {
        let mut auth = json!({ "session": self.session(client) });
        loop {
            let answer = finish(self.post(client, self.token_of(client), Some(auth)));
            if answer.status != 401 || answer.json()["flows"].is_null() {
                return answer;
            }
            let challenge = answer.json();
            let is_open = |stage: &&&str| {
                !challenge["completed"].as_array().is_some_and(|done| done.iter().any(|it| it == **stage))
            };
            let stage = client.stages(self.stage.two_stages).iter().find(is_open).unwrap();
            auth = client.auth(stage, true, challenge["session"].as_str());
            let answer = finish(self.post(client, self.token_of(client), Some(auth.clone())));
            // The next time round asks how it stands. What is right and refused is refused again.
            let refused = answer.json();
            if answer.status != 401 || refused["error"].is_string() {
                return answer;
            }
            auth = json!({ "session": refused["session"] });
        }
    }

    fn all(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter()
    }

    /// Those who have sent something.
    fn senders(&self, want: Want) -> impl Iterator<Item = &Client> {
        let sent = self.sessions.borrow().clone();
        self.all().filter(move |client| client.want == want && sent.contains_key(&client.number))
    }

    fn user(&self, name: &str) -> Option<User> {
        self.ask(|tx| users::by_localpart(tx, name))
    }
}
