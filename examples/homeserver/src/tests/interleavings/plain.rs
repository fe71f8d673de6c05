//! Requests that need no session: logins, refreshes, logouts, and those about addresses.

use super::client::OLD;
use super::end::Checked;
use super::grace::Grace;
use super::polled::{Waiting, finish};
use super::proof::ask;
use super::scene::Scene;
use crate::db::users::{self, NewUser};
use crate::db::{devices, threepids, validations};
use crate::logins::{Wanted, log_in, response};
use crate::tests::world::{Answer, World, password, text};
use crate::threepids::SUBMIT_PATH;
use matrix_uia::Text;
use matrix_uia::endpoint::threepid::{Medium, Purpose, Threepid};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone, Copy, Debug)]
pub enum Plain {
    /// On the device of that number, with the right password or another.
    LogIn(usize, bool),
    /// With the latest token that was answered, or with the first one.
    Refresh {
        latest: bool,
    },
    LogOut,
    DeleteAddress,
    RequestToken,
    SubmitToken,
}

impl Plain {
    pub const ALL: [Self; 9] = [
        Self::LogIn(0, true),
        Self::LogIn(1, true),
        Self::LogIn(0, false),
        Self::Refresh { latest: true },
        Self::Refresh { latest: false },
        Self::LogOut,
        Self::DeleteAddress,
        Self::RequestToken,
        Self::SubmitToken,
    ];
}

/// What one of the requests is, beside its token.
struct Sent {
    path: &'static str,
    token: Option<String>,
    body: serde_json::Value,
}

impl Sent {
    async fn send(self, world: &World) -> Answer {
        world.post(self.path, self.token.as_deref(), self.body).await
    }
}

impl<'w> Scene<'w> {
    /// The user, who is made when first needed.
    fn grace(&self) -> Rc<Grace> {
        if let Some(grace) = self.grace.borrow().as_ref() {
            return Rc::clone(grace);
        }
        let (app, name) = (&self.stage.world.app, format!("grace{}", self.run));
        let hash = finish(app.passwords.hash(OLD)).unwrap();
        let email = |of: &str| {
            Threepid::parse(Medium::Email, Text::new(&format!("{of}{}@example.org", self.run))).unwrap()
        };
        let logins = app.db.transaction(|tx| {
            let new = NewUser { password: Some(&hash), ..NewUser::named(&name) };
            let key = users::create(tx, &new)?.unwrap();
            for threepid in [email("gone"), email("kept")] {
                let (id_server, validated_at, added_at) = (None, 0, 0);
                let owned = threepids::Owned { threepid, id_server, bound: false, validated_at, added_at };
                threepids::add(tx, key, &owned)?;
            }
            let (asked, sent) = ask(app, Purpose::Register, &email("submitted"));
            let sid = format!("submit{}", self.run);
            validations::insert(tx, &sid, asked.identity(), &sent, None, &app.policies.validations)?;
            ["OWN", "OUT", "REFRESHED"]
                .into_iter()
                .map(|device| {
                    let refresh_token = device == "REFRESHED";
                    let wanted =
                        Wanted { device_id: Some(Text::new(device)), refresh_token, ..Wanted::default() };
                    Ok(response(&name, Some(&log_in(tx, app, key, &wanted)?)))
                })
                .collect::<Result<Vec<_>, crate::failure::Failure>>()
        });
        let logins: Vec<serde_json::Value> =
            finish(logins).unwrap().iter().map(|login| serde_json::from_str(login).unwrap()).collect();
        let grace = Rc::new(Grace {
            name,
            own: text(&logins[0], "access_token"),
            out: text(&logins[1], "access_token"),
            refresh: RefCell::new(vec![text(&logins[2], "refresh_token")]),
        });
        self.grace.replace(Some(Rc::clone(&grace)));
        grace
    }

    fn sent(&self, grace: &Grace, plain: Plain) -> Sent {
        let own = Some(grace.own.clone());
        let (path, token, body) = match plain {
            Plain::LogIn(number, right) => {
                let mut body = password(&grace.name, if right { OLD } else { "wrong" });
                body["device_id"] = format!("LOGIN{number}").into();
                ("login", None, body)
            }
            Plain::Refresh { latest } => {
                let known = grace.refresh.borrow();
                let token = if latest { known.last() } else { known.first() };
                ("refresh", None, json!({ "refresh_token": token }))
            }
            Plain::LogOut => ("logout", Some(grace.out.clone()), json!({})),
            Plain::DeleteAddress => {
                let address = format!("gone{}@example.org", self.run);
                ("account/3pid/delete", own, json!({ "medium": "email", "address": address }))
            }
            Plain::RequestToken => {
                let email = format!("new{}@example.org", self.run);
                let body = json!({ "client_secret": "monkeys", "email": email, "send_attempt": 1 });
                ("account/3pid/email/requestToken", own, body)
            }
            Plain::SubmitToken => {
                let sid = format!("submit{}", self.run);
                (SUBMIT_PATH, None, json!({ "sid": sid, "client_secret": "monkeys", "token": "token" }))
            }
        };
        Sent { path, token, body }
    }

    /// A request on its way.
    pub fn send_plain(&self, plain: Plain) -> Waiting<'w, Answer> {
        let (grace, world) = (self.grace(), &self.stage.world);
        let sent = self.sent(&grace, plain);
        Box::pin(async move {
            let answer = sent.send(world).await;
            if matches!(plain, Plain::Refresh { .. }) && answer.status == 200 {
                grace.refresh.borrow_mut().push(text(&answer.json(), "refresh_token"));
            }
            answer
        })
    }

    /// Whatever was dropped, each of them can be sent again, and has done what it does once.
    pub fn requests_without_a_session(&self) -> Checked {
        let Some(grace) = self.grace.borrow().clone() else { return Ok(()) };
        let user = self.ask(|tx| users::by_localpart(tx, &grace.name)).unwrap();
        let listed = || -> Vec<String> {
            self.ask(|tx| devices::list(tx, user.key)).into_iter().map(|device| device.device_id).collect()
        };
        let again = |plain| finish(self.send_plain(plain));
        // An interrupted refresh logs nobody out: one of the tokens that the client knows is good.
        let known = grace.refresh.borrow().clone();
        let refreshed = known.iter().rev().any(|token| {
            let body = json!({ "refresh_token": token });
            finish(self.stage.world.post("refresh", None, body)).status == 200
        });
        prop_assert!(refreshed, "none of {} refresh tokens is good", known.len());
        let answer = again(Plain::LogIn(0, true));
        prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        let token = text(&answer.json(), "access_token");
        let me = finish(self.stage.world.get("account/whoami", Some(&token)));
        prop_assert_eq!(text(&me.json(), "device_id"), "LOGIN0");
        let answer = again(Plain::LogOut);
        prop_assert!(answer.status == 200 || answer.error().1 == "M_UNKNOWN_TOKEN", "{}", answer.text);
        let mut left = listed();
        left.retain(|device| device != "LOGIN1");
        left.sort();
        prop_assert_eq!(left, ["LOGIN0", "OWN", "REFRESHED"]);
        let answer = again(Plain::DeleteAddress);
        prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        let addresses = self.ask(|tx| threepids::list(tx, user.key));
        let addresses: Vec<_> = addresses.iter().map(|owned| owned.threepid.address().to_owned()).collect();
        prop_assert_eq!(addresses, [format!("kept{}@example.org", self.run)]);
        let answer = again(Plain::SubmitToken);
        prop_assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        // One message for one attempt, whoever hung up.
        let (first, second) = (again(Plain::RequestToken), again(Plain::RequestToken));
        prop_assert_eq!(first.status.as_u16(), 200, "{}", first.text);
        prop_assert_eq!(&first.text, &second.text);
        let to = format!("new{}@example.org", self.run);
        let messages = self.stage.world.messages();
        let sent = messages.iter().filter(|message| message["address"] == *to);
        prop_assert_eq!(sent.count(), 1, "{:?}", messages.last());
        let files = self.stage.world.outbox.names();
        prop_assert!(files.iter().all(|name| name.ends_with(".json")), "half a message: {:?}", files);
        Ok(())
    }
}
