"""The Synapse that `run` has started, as a test asks it without our client."""

import email
import json
import os
import queue
import re
import socketserver
import threading
import time
import urllib.error
import urllib.request
from typing import NamedTuple

HOMESERVER = os.environ["HOMESERVER"]
ADMIN_TOKEN = os.environ["ADMIN_TOKEN"]
SERVER_NAME = os.environ["SERVER_NAME"]
DUMMY = {"type": "m.login.dummy"}


class Answer(NamedTuple):
    status: int
    retry_after: str | None
    body: dict


def ask(method, path, body=None, token=None):
    """One request to a path below the homeserver's address, and whatever it answers."""
    request = urllib.request.Request(HOMESERVER + path, method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, None, json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers["Retry-After"], json.load(error))


def client_api(method, path, body=None, token=None):
    return ask(method, f"/_matrix/client/v3/{path}", body, token)


def admin(method, path, body=None):
    answer = ask(method, f"/_synapse/admin/{path}", body, ADMIN_TOKEN)
    assert answer.status in (200, 201), answer
    return answer.body


def user_id(name):
    return f"@{name}:{SERVER_NAME}"


def password_auth(name, password):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password}


# The states of an account, and of its logins.


def lock(name, locked=True):
    admin("PUT", f"v2/users/{user_id(name)}", {"locked": locked})


def suspend(name, suspended=True):
    admin("PUT", f"v1/suspend/{user_id(name)}", {"suspend": suspended})


def log_out(name, device):
    admin("DELETE", f"v2/users/{user_id(name)}/devices/{device}")


def deactivate(name):
    admin("POST", f"v1/deactivate/{user_id(name)}", {"erase": False})


# Mail.


class Mailbox(socketserver.ThreadingTCPServer):
    """Where the server brings its mail to, as long as it is open; as much of SMTP as that takes."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.mail = queue.Queue()
        super().__init__(("127.0.0.1", int(os.environ["SMTP_PORT"])), Delivery)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self):
        self.shutdown()
        super().server_close()

    def link(self):
        """The link of the next mail."""
        letter = email.message_from_bytes(self.mail.get(timeout=10))
        (text,) = [part for part in letter.walk() if part.get_content_type() == "text/plain"]
        return re.search(r"http\S+", text.get_payload(decode=True).decode())[0]


class Delivery(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 synapse.test")
        for line in self.rfile:
            command = line.strip().upper()
            if command == b"DATA":
                self.say("354 go on")
                self.server.mail.put(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.say("221 goodbye" if command == b"QUIT" else "250 ok")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


def follow(link):
    """Opens a link, and says yes to the page if it asks."""
    if b"<form" in opened(link):
        # The form's hidden fields are those of the link.
        address, _, fields = link.partition("?")
        opened(address, fields.encode())


def opened(url, fields=None):
    """A page; tried for a while, since Synapse sends a mail before it knows of its link."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, fields, timeout=30) as page:
                return page.read()
        except urllib.error.HTTPError as error:
            refused = error
            time.sleep(0.1)
    raise refused
