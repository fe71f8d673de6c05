"""The fallback pages in a real browser: rules F1 to F6, with the keyboard alone."""

import unittest

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from world import EMBED, MARKUP, WATCH, BrowserTest

CAROL = {"username": "carol", "password": "christmas"}
STAGES = ["m.login.registration_token", "m.login.recaptcha", "m.login.terms", "m.login.dummy"]
CONFIG = {
    "users": [{"localpart": "alice", "password": "wonderland"}],
    "flows": {
        "register": [STAGES],
        "password": [["m.login.password", "org.example.approval"]],
        "deactivate": [["m.login.sso"]],
        "device_signing": [["m.oauth"]],
    },
    "params": {
        "m.login.recaptcha": {"public_key": "a-key"},
        "m.login.terms": {"policies": {
            "terms_of_service": {
                "version": "1.2",
                "en": {"name": "Terms of Service", "url": "https://example.org/terms"},
                "de": {"name": "Nutzungsbedingungen", "url": "https://example.org/agb"},
            },
            "privacy_policy": {
                "version": "2026-01", "en": {"name": "Privacy Policy", "url": "https://example.org/privacy"}},
        }},
        "m.oauth": {"url": "https://example.org/account"},
    },
    "recaptcha_accepts": ["good-captcha"],
    "registration_tokens": [{"token": "fBVFdqVE", "uses_allowed": 9}],
}


class Pages(BrowserTest):
    config = CONFIG

    def begin(self):
        status, challenge = self.server.post("register", CAROL)
        self.assertEqual(status, 401)
        return challenge["session"]

    def completed(self, session):
        return self.server.post("register", {"auth": {"session": session}})[1].get("completed")

    def test_a_registration_is_filled_in_with_the_keyboard_alone(self):
        self.watch(EMBED)
        session = self.begin()
        # A wrong token first: the page says so, and the keyboard is where it has to be.
        self.driver.get(self.server.page(STAGES[0], session))
        self.heading_is("Enter your registration token")
        self.shoot("registration_token")
        self.assertEqual(self.focused(), "token")
        self.press("wrong", Keys.ENTER)
        self.until(lambda: self.driver.find_elements(By.ID, "problem"))
        self.assertEqual(self.text("[role=alert]"), "The registration token is not valid.")
        self.assertEqual(self.focused(), "token")
        self.assertEqual(self.js("return document.activeElement.getAttribute('aria-describedby')"), "problem")
        self.shoot("registration_token-wrong")
        self.assertEqual(self.js("return window.done"), 0)
        self.press("fBVFdqVE", Keys.ENTER)
        self.heading_is("Done")
        self.shoot("done")
        self.assertEqual(self.js("return window.done"), 1)
        self.assertEqual(self.completed(session), STAGES[:1])

        # The captcha's script can't be had here: its response is typed in.
        self.driver.get(self.server.page(STAGES[1], session))
        self.until(lambda: self.driver.find_element(By.NAME, "g-recaptcha-response").is_displayed())
        self.heading_is("Show that you are human")
        self.until(lambda: self.focused() == "g-recaptcha-response")
        self.shoot("recaptcha")
        self.press("good-captcha", Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.completed(session), STAGES[:2])

        self.driver.get(self.server.page(STAGES[2], session))
        self.heading_is("Read and accept the terms")
        self.shoot("terms")
        links = self.driver.find_elements(By.TAG_NAME, "a")
        shown = [(link.text, link.get_attribute("href")) for link in links]
        self.assertEqual(sorted(shown), [
            ("Privacy Policy", "https://example.org/privacy"), ("Terms of Service", "https://example.org/terms")])
        # Through both documents to the button.
        self.press(Keys.TAB)
        self.assertEqual(self.focused(), "A")
        self.assertNotEqual(self.js("return getComputedStyle(document.activeElement).outlineStyle"), "none")
        self.press(Keys.TAB, Keys.TAB)
        self.assertEqual(self.focused(), "BUTTON")
        self.press(Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.completed(session), STAGES[:3])

        self.driver.get(self.server.page(STAGES[3], session))
        self.heading_is("Continue")
        self.shoot("dummy")
        self.press(Keys.TAB, Keys.SPACE)
        self.heading_is("Done")
        status, registered = self.server.post("register", CAROL | {"auth": {"session": session}})
        self.assertEqual((status, registered["user_id"]), (200, "@carol:localhost"))

    def test_a_popup_tells_its_opener_which_knows_where_it_comes_from(self):
        session = self.begin()
        self.driver.get(self.app + "#" + self.server.page(STAGES[0], session))
        self.driver.find_element(By.TAG_NAME, "button").click()
        self.until(lambda: len(self.driver.window_handles) == 2)
        app, popup = self.driver.window_handles
        self.driver.switch_to.window(popup)
        self.heading_is("Enter your registration token")
        self.press("fBVFdqVE", Keys.ENTER)
        self.heading_is("Done")
        self.driver.switch_to.window(app)
        self.until(lambda: self.js("return window.heard.length"))
        self.assertEqual(self.js("return window.heard"), [["authDone", self.server.origin]])

    def test_a_page_is_in_nobody_s_frame(self):
        session = self.begin()
        self.driver.get(self.app)
        self.js("document.querySelector('iframe').src = arguments[0]", self.server.page(STAGES[0], session))
        self.driver.switch_to.frame(0)
        self.until(lambda: self.js("return document.readyState") == "complete")
        self.assertEqual(self.driver.find_elements(By.TAG_NAME, "form"), [], "the browser shows an error of its own")
        self.driver.switch_to.default_content()
        self.driver.get_log("browser")

    def test_a_confirmation_says_what_and_for_whom(self):
        token = self.server.token("alice", "wonderland")
        challenge = self.server.post("account/deactivate", {"erase": False}, token)[1]
        poll = {"auth": {"session": challenge["session"]}}
        self.watch(EMBED)
        for _ in range(2):
            self.driver.get(self.server.page("m.login.sso", challenge["session"]))
            self.heading_is("Confirm that it is you")
            self.assertIn("deactivate your account", self.text("main"))
            self.assertIn("@alice:localhost", self.text("main"))
            self.assertEqual(self.server.post("account/deactivate", poll, token)[1]["completed"], [])
        self.shoot("sso")
        self.assertNotEqual(self.focused(), "BUTTON", "nothing is confirmed by a key that was meant for something else")
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.js("return window.done"), 1)
        self.assertEqual(self.server.post("account/deactivate", poll, token)[0], 200)
        # The page is of no more use.
        self.driver.get(self.server.page("m.login.sso", challenge["session"]))
        self.heading_is("This can’t go on")
        self.shoot("refused")

    def test_an_identity_is_reset_only_by_who_confirms_it(self):
        token = self.server.token("alice", "wonderland")

        def upload(key, **auth):
            master = {"user_id": "@alice:localhost", "usage": ["master"], "keys": {f"ed25519:{key}": key}}
            return self.server.post("keys/device_signing/upload", {"master_key": master, **auth}, token)

        self.assertEqual(upload("one")[0], 200, "the first is nobody's to confirm")
        status, challenge = upload("two")
        self.assertEqual(status, 401)
        self.watch(EMBED)
        self.driver.get(self.server.page("m.oauth", challenge["session"]))
        self.heading_is("Confirm that it is you")
        self.assertIn("reset your digital identity", self.text("main"))
        self.assertIn("@alice:localhost", self.text("main"))
        self.shoot("oauth")
        self.assertEqual(upload("two", auth={"session": challenge["session"]})[1]["completed"], [])
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.js("return window.done"), 1)
        self.assertEqual(upload("two", auth={"session": challenge["session"]})[0], 200)

    def test_a_password_page_knows_whose_password_it_asks_for(self):
        token = self.server.token("alice", "wonderland")
        challenge = self.server.post("account/password", {"new_password": "looking-glass"}, token)[1]
        self.driver.get(self.server.page("m.login.password", challenge["session"]))
        self.heading_is("Enter your password")
        self.shoot("password")
        self.assertEqual(self.focused(), "password")
        self.press("wonderland", Keys.ENTER)
        self.heading_is("Done")
        self.driver.get(self.server.page("org.example.approval", challenge["session"]))
        self.heading_is("Confirm that it is you")
        self.shoot("custom")
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        body = {"new_password": "looking-glass", "auth": {"session": challenge["session"]}}
        status, _ = self.server.post("account/password", body, token)
        self.assertEqual(status, 200)
        self.server.token("alice", "looking-glass")

    def test_login_hands_the_answer_over(self):
        login = self.server.origin + "/_matrix/static/client/login/?device_id=GHTYAJCE&initial_device_display_name=Phone"
        self.watch(WATCH + "window.matrixLogin = { onLogin: response => { window.login = response; } };")
        self.driver.get(login)
        self.heading_is("Sign in")
        self.shoot("login")
        self.assertEqual(self.focused(), "user")
        self.press("alice", Keys.TAB, "white-rabbit", Keys.ENTER)
        self.until(lambda: self.text("#problem"))
        self.shoot("login-wrong")
        self.assertEqual((self.focused(), self.js("return window.login")), ("password", None))
        self.press(Keys.CONTROL, "a")
        self.js("document.activeElement.value = ''")
        self.press("wonderland", Keys.ENTER)
        self.heading_is("Signed in")
        self.shoot("login-done")
        answer = self.js("return window.login")
        self.assertEqual((answer["user_id"], answer["device_id"]), ("@alice:localhost", "GHTYAJCE"))
        devices = self.server.call("GET", "/_matrix/client/v3/devices", None, answer["access_token"])[1]["devices"]
        self.assertEqual([device["display_name"] for device in devices], ["Phone"])
        self.assertNotIn(answer["access_token"], self.driver.page_source)

    def test_login_calls_a_function_that_is_put_there_afterwards(self):
        self.driver.get(self.server.origin + "/_matrix/static/client/login/")
        self.heading_is("Sign in")
        self.js("window.matrixLogin.onLogin = response => { window.login = response; }")
        self.press("alice", Keys.TAB, "wonderland", Keys.ENTER)
        self.until(lambda: self.js("return window.login && window.login.user_id") == "@alice:localhost")

    def test_nothing_is_sent_where_scripts_are_off(self):
        """And no password ends in an address."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        self.addCleanup(
            lambda: self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False}))
        address = self.server.origin + "/_matrix/static/client/login/"
        self.driver.get(address)
        self.driver.find_element(By.NAME, "user").send_keys("alice")
        self.driver.find_element(By.NAME, "password").send_keys("wonderland", Keys.ENTER)
        self.assertEqual(self.driver.current_url, address)
        self.driver.get_log("browser")


class Addresses(BrowserTest):
    """The e-mail is a file in the outbox; whoever reads it follows its link in a window of their own."""

    flows = {"register": [["m.login.email.identity"], ["m.login.msisdn"]]}
    config = CONFIG | {"flows": flows, "outbox": True}

    def test_an_address_is_confirmed_by_following_its_link(self):
        self.watch(EMBED)
        session = self.server.post("register", CAROL)[1]["session"]
        self.driver.get(self.server.page("m.login.email.identity", session))
        self.heading_is("Confirm your e-mail address")
        self.shoot("email")
        self.press("carol'<b>@example.org", Keys.ENTER)
        # The browser itself finds that this can't be an address.
        self.assertEqual(self.text("h1"), "Confirm your e-mail address")
        self.js("document.activeElement.value = ''")
        self.press("o'carol@example.org", Keys.ENTER)
        self.heading_is("Check your e-mail")
        self.shoot("email-sent")
        self.press(Keys.TAB, Keys.ENTER)
        self.until(lambda: self.driver.find_elements(By.ID, "problem"))
        self.heading_is("Check your e-mail")
        app = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.driver.get(self.server.link())
        self.heading_is("Confirm your address")
        self.shoot("link")
        self.assertIn("o'carol@example.org", self.text("main"))
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Address confirmed")
        self.shoot("linked")
        self.driver.switch_to.window(app)
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.js("return window.done"), 1)
        body = CAROL | {"auth": {"session": session}}
        self.assertEqual(self.server.post("register", body)[0], 200)

    def test_a_phone_number_is_confirmed_by_following_its_link(self):
        self.watch(EMBED)
        session = self.server.post("register", CAROL | {"username": "dan"})[1]["session"]
        self.driver.get(self.server.page("m.login.msisdn", session))
        self.heading_is("Confirm your phone number")
        self.shoot("phone")
        self.press("GB", Keys.TAB, "07700 900001", Keys.ENTER)
        self.heading_is("Check your messages")
        self.shoot("phone-sent")
        app = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.driver.get(self.server.link())
        self.heading_is("Confirm your address")
        self.assertIn("447700900001", self.text("main"))
        self.press(Keys.TAB, Keys.ENTER)
        self.until(lambda: "confirmed" in self.text("h1"))
        self.driver.switch_to.window(app)
        self.press(Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        self.assertEqual(self.js("return window.done"), 1)
        body = CAROL | {"username": "dan", "auth": {"session": session}}
        self.assertEqual(self.server.post("register", body)[0], 200)

    def test_a_link_leads_on_to_where_the_client_wants(self):
        asked = {"client_secret": "monkeys", "email": "carol@example.org", "send_attempt": 1,
                 "next_link": self.app + "?a='&b=%22%3E%3Cscript%3Ewindow.pwned=1%3C/script%3E"}
        self.assertEqual(self.server.post("register/email/requestToken", asked)[0], 200)
        self.driver.get(self.server.link())
        self.heading_is("Confirm your address")
        self.press(Keys.TAB, Keys.ENTER)
        self.until(lambda: self.driver.current_url.startswith(self.app))
        self.harmless()


class Markup(BrowserTest):
    """Markup in whatever may hold it is text."""

    config = CONFIG | {
        "flows": {"register": [["m.login.terms", "m.login.recaptcha"]], "password": [["<script>window.pwned=1</script>"]]},
        "params": {
            "m.login.terms": {"policies": {MARKUP: {
                "version": MARKUP,
                "en": {"name": MARKUP, "url": "https://example.org/'onmouseover=window.pwned=1//"},
                "de": {"name": MARKUP, "url": "javascript:window.pwned=1"},
            }}},
            "m.login.recaptcha": {"public_key": MARKUP},
        },
    }

    def test_markup_in_what_the_operator_configures(self):
        session = self.server.post("register", CAROL)[1]["session"]
        self.driver.get(self.server.page("m.login.terms", session))
        self.heading_is("Read and accept the terms")
        self.assertEqual([link.text for link in self.driver.find_elements(By.TAG_NAME, "a")], [MARKUP])
        self.shoot("markup-terms")
        self.press(Keys.TAB, Keys.TAB, Keys.ENTER)
        self.heading_is("Done")
        self.driver.get(self.server.page("m.login.recaptcha", session))
        self.heading_is("Show that you are human")
        key = self.js("return document.getElementById('captcha').dataset.sitekey")
        self.assertEqual(key, MARKUP)

    def test_markup_in_a_stage_s_own_name(self):
        token = self.server.token("alice", "wonderland")
        session = self.server.post("account/password", {"new_password": "looking-glass"}, token)[1]["session"]
        self.driver.get(self.server.page("<script>window.pwned=1</script>", session))
        self.heading_is("Confirm that it is you")
        self.assertIn("<script>window.pwned=1</script>", self.text("main"))

    def test_markup_in_the_address(self):
        session = self.server.post("register", CAROL)[1]["session"]
        for address in [
            self.server.page("m.login.terms", MARKUP),
            self.server.page(MARKUP, session),
            self.server.page(MARKUP, MARKUP),
            self.server.page("m.login.terms", session) + "&terms=" + MARKUP + "&x=" + MARKUP,
            self.server.page("m.login.terms", session) + "#" + MARKUP,
        ]:
            self.driver.get(address)
            self.assertTrue(self.text("h1"))
            self.harmless()
        for name in ["device_id", "initial_device_display_name", "user", MARKUP]:
            self.driver.get(f"{self.server.origin}/_matrix/static/client/login/?{name}=</script>{MARKUP}<!--")
            self.heading_is("Sign in")
        self.press(MARKUP, Keys.TAB, MARKUP, Keys.ENTER)
        self.until(lambda: self.text("#problem"))
        self.harmless()


if __name__ == "__main__":
    unittest.main(verbosity=2)
