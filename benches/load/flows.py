"""Whole flows by wrk: a challenge, and the request that answers it."""

import os
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS = 16
USERS = 256

CONFIG = {
    "users": [],
    "flows": {"delete_devices": [["m.login.dummy"]]},
    "uia": {"session_limit": 1_000_000, "replay_ms": 1_000},
    "trusted_proxies": ["127.0.0.1"],
}
CHALLENGES = {"path": "/_matrix/client/v3/register", "first": "{}", "completes": False}
# A device that nobody has: nothing is deleted, so that what is measured is the authentication.
FLOWS = {"path": "/_matrix/client/v3/delete_devices", "first": '{"devices":["NOBODYS"]}', "completes": True}


def run(kind, ports, tokens, seconds):
    """How many were completed in a second, within how many seconds, and the CPU time that wrk took for each."""
    quoted = lambda values: "{" + ",".join(f'"{value}"' for value in values) + "}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"ports, tokens = {quoted(ports)}, {quoted(tokens)}\n"
            f"path, first, completes = '{kind['path']}', '{kind['first']}', {str(kind['completes']).lower()}\n"
            f"seed = {time.time_ns() % 1_000_000_007}\n"
        )
        with open(os.path.join(HERE, "flows.lua"), encoding="utf-8") as flows:
            script.write(flows.read())
        script.flush()
        command = ["wrk", f"-t{CONNECTIONS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s"]
        command += ["-s", script.name, f"http://127.0.0.1:{ports[0]}"]
        before = os.times()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = os.times()
    found = [line.split()[1:] for line in output.splitlines() if line.startswith("FLOWS ")][0]
    done, failed, half, most, lasted = (float(number) for number in found)
    if not done:
        raise SystemExit(f"no flow was completed: {output}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    trouble = [line for line in output.splitlines() if line.startswith("TROUBLE ")]
    return {
        "done": done, "rate": done / lasted, "failed": failed, "p50": half, "p99": most,
        "wrk": used / done, "trouble": trouble[0] if trouble else "",
    }
