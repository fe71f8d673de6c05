"""matrix-sdk, driven by examples/sdk_client, against the example homeserver: all of its commands.

    check.py PROGRAM

The address of the homeserver is in HOMESERVER. It serves the account API only, and matrix-sdk uploads device keys
and signatures around the cross-signing keys. So the program talks to a proxy, which answers those two calls itself
and passes every other one on. The proxy notes what passes: what the program sent is asserted, too.
"""

import json
import os
import subprocess
import sys
import threading
import unittest
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOMESERVER = urlsplit(os.environ["HOMESERVER"])
CLIENT = "/_matrix/client/v3"
OUTSIDE = {
    CLIENT + "/keys/upload": {"one_time_key_counts": {}},
    CLIENT + "/keys/signatures/upload": {"failures": {}},
}
PROGRAM = sys.argv.pop(1)


def send(method, path, body, headers):
    """Status and body of a request to the homeserver."""
    with closing(HTTPConnection(HOMESERVER.hostname, HOMESERVER.port, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def call(method, path, body=None, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, answer = send(method, CLIENT + path, body and json.dumps(body), headers)
    return status, json.loads(answer)


def log_in(user, password, device=None):
    identifier = {"type": "m.id.user", "user": user}
    body = {"type": "m.login.password", "identifier": identifier, "password": password}
    return call("POST", "/login", body | ({"device_id": device} if device else {}))


class Proxy(BaseHTTPRequestHandler):
    passed = []

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if path in OUTSIDE:
            status, answer = 200, json.dumps(OUTSIDE[path]).encode()
        else:
            names = ("Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            status, answer = send(self.command, self.path, body, headers)
        auth = json.loads(body).get("auth") if body else None
        self.passed.append((path.removeprefix(CLIENT), auth and auth.get("type"), status))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = pass_on

    def log_message(self, *_):
        pass


def program(*arguments, password, new_password=None):
    """What the program's requests to the guarded call came to: the type of the auth dict, and the status."""
    Proxy.passed.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {"PATH": os.environ["PATH"], "MATRIX_PASSWORD": password}
    if new_password:
        environment["MATRIX_NEW_PASSWORD"] = new_password
    url = f"http://127.0.0.1:{server.server_port}"
    ran = subprocess.run([PROGRAM, url, *arguments], env=environment, capture_output=True, text=True, timeout=60)
    server.shutdown()
    server.server_close()
    if ran.returncode or ran.stdout != "done\n":
        raise AssertionError(f"{arguments}: status {ran.returncode}\n{ran.stdout}{ran.stderr}\n{Proxy.passed}")
    return list(Proxy.passed)


def to(path, passed):
    return [(auth, status) for it, auth, status in passed if it == path]


CHALLENGED = [(None, 401), ("m.login.password", 200)]


class Commands(unittest.TestCase):
    def test_devices_are_deleted(self):
        for device in ("OLD1", "OLD2", "KEPT"):
            self.assertEqual(log_in("alice", "wonderland", device)[0], 200)
        passed = program("alice", "delete-devices", "OLD1", "OLD2", password="wonderland")
        self.assertEqual(to("/delete_devices", passed), CHALLENGED)
        _, login = log_in("alice", "wonderland")
        _, listed = call("GET", "/devices", token=login["access_token"])
        devices = {device["device_id"] for device in listed["devices"]}
        self.assertIn("KEPT", devices)
        self.assertFalse(devices & {"OLD1", "OLD2"}, devices)

    def test_cross_signing_keys_are_uploaded_and_replaced(self):
        path = "/keys/device_signing/upload"
        first = program("alice", "cross-signing", password="wonderland")
        self.assertEqual(to(path, first), [(None, 200)], "the first keys need no authentication")
        # The program keeps nothing: these are other keys.
        second = program("alice", "cross-signing", password="wonderland")
        self.assertEqual(to(path, second), CHALLENGED)

    def test_the_password_is_changed_and_then_the_account_deactivated(self):
        passed = program("bob", "password", password="builder-bob", new_password="yes-we-can-bob")
        self.assertEqual(to("/account/password", passed), CHALLENGED)
        self.assertEqual(log_in("bob", "builder-bob")[0], 403)
        self.assertEqual(log_in("bob", "yes-we-can-bob")[0], 200)

        passed = program("bob", "deactivate", password="yes-we-can-bob")
        self.assertEqual(to("/account/deactivate", passed), CHALLENGED)
        status, error = log_in("bob", "yes-we-can-bob")
        self.assertEqual((status, error["errcode"]), (403, "M_USER_DEACTIVATED"))


if __name__ == "__main__":
    unittest.main()
