"""The Synapse that `run` has started, as a test asks it without our client."""

import json
import os
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
