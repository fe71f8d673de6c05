"""What a session takes where it is kept: one that nobody has answered, and one whose call was carried out."""

import contextlib
import http.client
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor

# Each user has as many of them as the next: fewer than one owner may have.
COUNT = 4_096
# Nothing may run out meanwhile.
KEPT_FOR_MS = 10 * 60 * 1_000


def ask(port, path, body, token=None, address=None):
    """Status and body, and the bytes that were sent and received."""
    head = f"POST /_matrix/client/v3/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    head += f"X-Forwarded-For: {address}\r\n" if address else ""
    text = json.dumps(body, separators=(",", ":"))
    request = f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.connect()
    client.sock.sendall(request)
    answer = b""
    while part := client.sock.recv(65536):
        answer += part
    client.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body), len(request), len(answer)


def challenge(port, number):
    """A first request of a stranger's, from an address of its own."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    status, answer, _, _ = ask(port, "register", {}, address=address)
    if status != 401:
        raise SystemExit(f"no challenge: {status} {answer}")


def flow(port, token):
    """Both requests of a flow; the bytes that were sent and received."""
    body = {"devices": ["NOBODYS"]}
    status, answer, up, down = ask(port, "delete_devices", body, token)
    if status != 401:
        raise SystemExit(f"no challenge: {status} {answer}")
    body["auth"] = {"type": "m.login.dummy", "session": answer["session"]}
    status, answer, more_up, more_down = ask(port, "delete_devices", body, token)
    if status != 200:
        raise SystemExit(f"a flow ended with {status} {answer}")
    return up + more_up, down + more_down


def taken(store, database, directory, server):
    """The bytes of all sessions, and of the records of calls that are kept beside the accounts; indexes included."""
    if database:
        sessions = database.sessions()[1]
    elif store == "sqlite":
        sessions = used(directory, "uia_session%")
    else:
        with open(f"/proc/{server.process.pid}/statm", encoding="utf-8") as statm:
            sessions = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return sessions, used(directory, "uia_record%")


def used(directory, like):
    """The bytes of pages that hold such tables and their indexes."""
    with contextlib.closing(sqlite3.connect(os.path.join(directory, "data", "homeserver.sqlite"))) as db:
        tables = "SELECT name FROM sqlite_schema WHERE tbl_name LIKE ?"
        return db.execute(f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({tables})", (like,)).fetchone()[0]


def measure(store, database, directory, server, tokens):
    """Bytes of a challenge, of a session that is over and of its record; and what a flow sends and receives. In memory
    it is what a process grows by, and flows are too few for that."""
    port, in_memory = server.port(), store == "memory"
    flow(port, tokens[0])
    with ThreadPoolExecutor(8) as pool:
        challenges = lambda numbers: list(pool.map(lambda number: challenge(port, number), numbers))
        count = 8 * COUNT if in_memory else COUNT
        if in_memory:
            # What it takes once, whatever comes.
            challenges(range(count, 9 * COUNT))
        before = taken(store, database, directory, server)
        challenges(range(count))
        begun = taken(store, database, directory, server)
        list(pool.map(lambda number: flow(port, tokens[number % len(tokens)]), range(COUNT)))
    over = taken(store, database, directory, server)
    return {
        "challenge": (begun[0] - before[0]) / count,
        "over": None if in_memory else (over[0] - begun[0]) / COUNT,
        "record": (over[1] - begun[1]) / COUNT,
        "http": flow(port, tokens[0]),
    }
