"""matrix-nio, as it comes from PyPI, against the example homeserver.

What the library reports is checked, and what the server then says to somebody who asks it
without the library. Run by `.ci/interop`; by hand, in an environment that has
`requirements.txt`:

    cd tests/interop
    ./with-homeserver nio/accounts.json python nio/accounts.py Accounts
    ./with-homeserver nio/invited.json python nio/accounts.py Invited
"""

import json
import logging
import os
import unittest
import urllib.error
import urllib.request

import nio
from nio.responses import RegisterErrorResponse, RegisterInteractiveResponse, RegisterResponse

HOMESERVER = os.environ["HOMESERVER"]

# It warns of every answer that is an error, and here most are meant to be.
logging.getLogger("nio").setLevel(logging.CRITICAL)


def ask(method, path, token=None, body=None):
    """A request without the library: the status and the JSON of the answer."""
    request = urllib.request.Request(
        f"{HOMESERVER}/_matrix/client/v3/{path}",
        method=method,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        data=None if body is None else json.dumps(body).encode(),
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Clients(unittest.IsolatedAsyncioTestCase):
    def client(self, user, **options):
        client = nio.AsyncClient(HOMESERVER, user, **options)
        self.addAsyncCleanup(client.close)
        return client

    async def logged_in(self, user, password, **options):
        client = self.client(user, **options)
        response = await client.login(password, device_name=f"{user}'s device")
        self.assertIsInstance(response, nio.LoginResponse, response)
        return client

    def assertLive(self, token, user_id, device_id):
        status, who = ask("GET", "account/whoami", token)
        self.assertEqual(status, 200, who)
        self.assertEqual((who["user_id"], who["device_id"]), (user_id, device_id))

    def assertDead(self, token, soft_logout=False):
        status, error = ask("GET", "account/whoami", token)
        self.assertEqual((status, error["errcode"]), (401, "M_UNKNOWN_TOKEN"))
        self.assertEqual(error.get("soft_logout", False), soft_logout)

    def assertNobody(self, user, password):
        body = {"type": "m.login.password", "password": password,
                "identifier": {"type": "m.id.user", "user": user}}
        status, error = ask("POST", "login", body=body)
        self.assertEqual((status, error["errcode"]), (403, "M_FORBIDDEN"))

    def assertError(self, response, kind, errcode):
        self.assertIsInstance(response, kind, response)
        self.assertEqual(response.status_code, errcode)


class Accounts(Clients):
    """Against `accounts.json`."""

    # Registration

    async def test_register_logs_in(self):
        client = self.client("carol")
        response = await client.register("carol", "christmas", device_name="Carol's phone")
        self.assertIsInstance(response, RegisterResponse, response)
        self.assertEqual(response.user_id, "@carol:localhost")
        self.assertTrue(client.logged_in)
        self.assertLive(client.access_token, "@carol:localhost", response.device_id)
        who = await client.whoami()
        self.assertEqual((who.user_id, who.is_guest), ("@carol:localhost", False))

        again = await self.client("carol").register("carol", "christmas-too")
        self.assertError(again, RegisterErrorResponse, "M_USER_IN_USE")
        self.assertNobody("carol", "christmas-too")

    async def test_what_may_not_be_registered(self):
        for user, password, errcode in [
            ("dave", "short", "M_WEAK_PASSWORD"),
            ("d ave", "long-enough", "M_INVALID_USERNAME"),
        ]:
            response = await self.client(user).register(user, password)
            self.assertError(response, RegisterErrorResponse, errcode)
            self.assertNobody(user, password)

    # Login

    async def test_login_by_every_name(self):
        for name in ["alice", "@alice:localhost", "alice@example.org", "Alice@Example.ORG"]:
            with self.subTest(name):
                client = self.client(name)
                self.assertIn("m.login.password", (await client.login_info()).flows)
                response = await client.login("wonderland")
                self.assertIsInstance(response, nio.LoginResponse, response)
                self.assertEqual(response.user_id, "@alice:localhost")
                self.assertLive(client.access_token, "@alice:localhost", response.device_id)

    async def test_a_refused_login_says_the_same_of_everybody(self):
        said = set()
        for name in ["alice", "alice@example.org", "nobody", "nobody@example.org"]:
            client = self.client(name)
            response = await client.login("white-rabbit")
            self.assertError(response, nio.LoginError, "M_FORBIDDEN")
            self.assertFalse(client.logged_in)
            said.add(response.message)
        self.assertEqual(len(said), 1, said)

    async def test_a_device_is_taken_up_again(self):
        first = await self.logged_in("alice", "wonderland", device_id="ALICEPHONE")
        second = await self.logged_in("alice", "wonderland", device_id="ALICEPHONE")
        self.assertEqual((first.device_id, second.device_id), ("ALICEPHONE", "ALICEPHONE"))
        self.assertLive(second.access_token, "@alice:localhost", "ALICEPHONE")
        # The token has ended and the device lives on.
        self.assertDead(first.access_token, soft_logout=True)
        self.assertError(await first.whoami(), nio.WhoamiError, "M_UNKNOWN_TOKEN")

    async def test_a_locked_account_is_told_so_by_a_soft_logout(self):
        response = await self.client("lenny").login("locked-in-here")
        self.assertError(response, nio.LoginError, "M_USER_LOCKED")
        self.assertTrue(response.soft_logout)
        self.assertError(await self.client("lenny").login("a-guess"), nio.LoginError, "M_FORBIDDEN")

    async def test_too_many_guesses_are_waited_out(self):
        client = self.client("bob")
        waits = []
        client.add_response_callback(
            lambda error: waits.append((error.status_code, error.retry_after_ms)), nio.LoginError
        )
        for guess in range(6):
            self.assertError(await client.login(f"guess-{guess}"), nio.LoginError, "M_FORBIDDEN")
        limited = [wait for errcode, wait in waits if errcode == "M_LIMIT_EXCEEDED"]
        self.assertTrue(limited)
        self.assertTrue(all(0 < wait <= 500 for wait in limited), limited)
        self.assertIsInstance(await client.login("builder-bob"), nio.LoginResponse)

    # Devices

    async def test_devices_are_listed_named_and_deleted(self):
        user = self.client("grace")
        await user.register("grace", "gracious-me", device_name="Grace's laptop")
        phone = await self.logged_in("grace", "gracious-me", device_id="PHONE")
        tablet = await self.logged_in("grace", "gracious-me", device_id="TABLET")
        self.assertIsInstance(
            await user.update_device("PHONE", {"display_name": "Old phone"}), nio.UpdateDeviceResponse
        )
        # The library lists devices only if each has an address, which comes with its first request.
        for other in [phone, tablet]:
            self.assertIsInstance(await other.whoami(), nio.WhoamiResponse)
        listed = await user.devices()
        self.assertIsInstance(listed, nio.DevicesResponse, listed)
        self.assertEqual(
            {device.id: (device.display_name, device.last_seen_ip) for device in listed.devices},
            {user.device_id: ("Grace's laptop", "127.0.0.1"), "PHONE": ("Old phone", "127.0.0.1"),
             "TABLET": ("grace's device", "127.0.0.1")},
        )

        # Asked for the flows, as the library's documentation says, and answered in the form that it shows.
        asked = await user.delete_devices(["PHONE", "TABLET"])
        self.assertIsInstance(asked, nio.DeleteDevicesAuthResponse, asked)
        self.assertEqual(asked.flows, [{"stages": ["m.login.password"]}])
        auth = {"type": "m.login.password", "user": "grace", "session": asked.session}
        wrong = await user.delete_devices(["PHONE", "TABLET"], {**auth, "password": "graceless"})
        self.assertIsInstance(wrong, nio.DeleteDevicesAuthResponse, wrong)
        self.assertEqual(wrong.session, asked.session)
        for other in [phone, tablet]:
            self.assertLive(other.access_token, "@grace:localhost", other.device_id)

        right = await user.delete_devices(["PHONE", "TABLET"], {**auth, "password": "gracious-me"})
        self.assertIsInstance(right, nio.DeleteDevicesResponse, right)
        for other in [phone, tablet]:
            self.assertDead(other.access_token)
        self.assertLive(user.access_token, "@grace:localhost", user.device_id)
        status, left = ask("GET", "devices", user.access_token)
        self.assertEqual([device["device_id"] for device in left["devices"]], [user.device_id])

    async def test_a_session_is_for_the_devices_it_was_asked_for(self):
        user = self.client("heidi")
        await user.register("heidi", "mountain-top")
        phone = await self.logged_in("heidi", "mountain-top", device_id="PHONE")
        asked = await user.delete_devices(["SOME-OTHER"])
        auth = {"type": "m.login.password", "user": "heidi", "password": "mountain-top",
                "session": asked.session}
        response = await user.delete_devices(["PHONE"], auth)
        self.assertError(response, nio.DeleteDevicesError, "M_FORBIDDEN")
        self.assertLive(phone.access_token, "@heidi:localhost", "PHONE")

    # Logout

    async def test_logout_ends_one_device(self):
        stays = await self.logged_in("alice", "wonderland")
        client = await self.logged_in("alice", "wonderland")
        token, stale = client.access_token, self.client("alice")
        self.assertIsInstance(await client.logout(), nio.LogoutResponse)
        self.assertFalse(client.logged_in)
        self.assertDead(token)
        self.assertLive(stays.access_token, "@alice:localhost", stays.device_id)

        stale.access_token = token
        response = await stale.whoami()
        self.assertError(response, nio.WhoamiError, "M_UNKNOWN_TOKEN")
        self.assertFalse(response.soft_logout)

    async def test_logout_of_all_devices_ends_them(self):
        client = self.client("ivan")
        await client.register("ivan", "terrible-password")
        other = await self.logged_in("ivan", "terrible-password")
        tokens = [client.access_token, other.access_token]
        self.assertIsInstance(await client.logout(all_devices=True), nio.LogoutResponse)
        for token in tokens:
            self.assertDead(token)
        await self.logged_in("ivan", "terrible-password")


class Invited(Clients):
    """Against `invited.json`: by a registration token only, then a dummy stage."""

    async def test_a_registration_token_lets_one_in(self):
        client = self.client("carol")
        response = await client.register_with_token("carol", "christmas", "good-token")
        self.assertIsInstance(response, RegisterResponse, response)
        self.assertTrue(client.logged_in)
        self.assertLive(client.access_token, "@carol:localhost", response.device_id)
        # It was for one.
        response = await self.client("dave").register_with_token("dave", "christmas", "good-token")
        self.assertIsInstance(response, RegisterErrorResponse, response)
        self.assertNobody("dave", "christmas")

    async def test_another_token_does_not(self):
        client = self.client("erin")
        # The library takes the 401 of a wrong token for progress and goes on to the dummy stage.
        response = await client.register_with_token("erin", "easter-egg", "bad-token")
        self.assertIsInstance(response, RegisterErrorResponse, response)
        self.assertFalse(client.logged_in)
        self.assertNobody("erin", "easter-egg")

    async def test_what_the_server_says_of_every_step(self):
        client = self.client("frank")
        asked = await client.register_interactive("frank", "easter-egg", {"initial": "nothing yet"})
        self.assertIsInstance(asked, RegisterInteractiveResponse, asked)
        self.assertEqual(asked.stages, ["m.login.registration_token", "m.login.dummy"])
        self.assertIsNone(asked.completed)
        wrong = await client.register_interactive(
            "frank", "easter-egg",
            {"type": "m.login.registration_token", "token": "bad-token", "session": asked.session},
        )
        self.assertEqual((wrong.session, wrong.completed), (asked.session, []))
        # The dummy stage comes last.
        skipped = await client.register("frank", "easter-egg", session_token=asked.session)
        self.assertError(skipped, RegisterErrorResponse, "M_INVALID_PARAM")
        self.assertNobody("frank", "easter-egg")

    async def test_a_device_may_be_named_only_at_the_end(self):
        # `register_with_token` sends `device_name` with its last request and not with those before. The name of a
        # device makes no difference to what was authenticated, so it is free (rule U13).
        client = self.client("grace")
        response = await client.register_with_token(
            "grace", "gracious-me", "second-token", device_name="Grace's phone"
        )
        self.assertIsInstance(response, RegisterResponse, response)
        status, device = ask("GET", f"devices/{response.device_id}", client.access_token)
        self.assertEqual((status, device["display_name"]), (200, "Grace's phone"))

    async def test_another_token_with_a_device_named_at_the_end_does_not(self):
        response = await self.client("heidi").register_with_token(
            "heidi", "gracious-me", "bad-token", device_name="Heidi's phone"
        )
        # The token has not passed, and the dummy stage comes after it.
        self.assertError(response, RegisterErrorResponse, "M_INVALID_PARAM")
        self.assertNobody("heidi", "gracious-me")


if __name__ == "__main__":
    unittest.main(verbosity=2)
