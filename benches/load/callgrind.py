"""Instructions of a server for one request, counted by valgrind's callgrind: the process's own, not its kernel's."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

# More than an owner may have sessions, so that each of those that are counted evicts one.
FIRST = 1_500
COUNTED = 1_000


def is_there():
    return shutil.which("valgrind") is not None


def count(start, path, body):
    with tempfile.TemporaryDirectory(prefix="matrix-uia-bench-") as directory:
        out = os.path.join(directory, "callgrind.out")
        under = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        with start(under) as server:
            ask(server.port(), path, body, FIRST)
            instrument(server, "on")
            ask(server.port(), path, body, COUNTED)
            instrument(server, "off")
        with open(out, encoding="utf-8", errors="replace") as found:
            total = re.findall(r"^(?:summary|totals): (\d+)", found.read(), re.MULTILINE)[-1]
        return int(total) / COUNTED


def instrument(server, state):
    command = ["callgrind_control", "-i", state, str(server.process.pid)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def ask(port, path, body, times):
    """So many requests, one after the other on one connection."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        answers = connection.makefile("rb")
        for _ in range(times):
            connection.sendall(request)
            status, length = answers.readline(), 0
            while (line := answers.readline().strip().lower()):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
            if b" 401 " not in status:
                raise SystemExit(f"no challenge: {status!r}")
