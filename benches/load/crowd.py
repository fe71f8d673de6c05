"""A server under a crowd: idle connections, half-sent heads and a flood of first requests, all of them strangers'."""

import http.client
import resource
import socket
import statistics
import subprocess
import tempfile
import time

from . import wrk

IDLE = 2000
HALF_SENT = 500
FLOOD = 64
# The one who is waited for comes from an address of its own.
HONEST = "127.0.0.2"
# The flood's: wrk can't choose.
STRANGER = "127.0.0.1"

VERSIONS = b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /_matrix/client/v3/register HTTP/1.1\r\nHost: localhost\r\nContent-"


def allow_files():
    """As many sockets as the crowd has, here and in the server that is started from here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (IDLE + HALF_SENT + FLOOD) + 100
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"this needs {wanted} open files, and only {most} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def connect(port, source):
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def open_all(port, count, sources, send, answered):
    """So many connections, with something sent on each; and how many the server closed at once."""
    connections, refused = [], 0
    for number in range(count):
        try:
            connection = connect(port, sources[number % len(sources)])
            connection.sendall(send)
            if answered and not connection.recv(4096):
                raise ConnectionError
            connections.append(connection)
        except OSError:
            refused += 1
    return connections, refused


def still_open(connections):
    """How many of them the server hasn't closed."""
    count = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            count += bool(connection.recv(1))
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count


def ask(port, seconds):
    """How long a stranger's first request takes, connection included, again and again: all times, and failures."""
    times, failures, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(HONEST, 0))
        try:
            client.request("POST", "/_matrix/client/v3/register", "{}", {"Content-Type": "application/json"})
            answer = client.getresponse()
            answer.read()
            failures += answer.status != 401
            times.append(time.monotonic() - start)
        except OSError:
            failures += 1
        finally:
            client.close()
        time.sleep(0.02)
    return times, failures


def quantiles(times):
    if len(times) < 2:
        return {"p50": float("inf"), "p99": float("inf")}
    return {"p50": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98]}


def report(name, asked):
    times, failures = asked
    result = quantiles(times)
    print(
        f"  {name:<34} p50 {result['p50'] * 1e3:7.2f} ms   p99 {result['p99'] * 1e3:7.2f} ms   "
        f"{len(times)} answers, {failures} failures"
    )
    return dict(result, answers=len(times), failures=failures)


def run(start, seconds, sources):
    """`start` starts a server; the crowd's connections come from the addresses `sources`."""
    with start() as server:
        port = server.port()
        results = {"idle server": report("the server has nothing to do", ask(port, seconds))}
        body = '{"username":"newcomer","password":"a very long password"}'
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            url = server.url + "/_matrix/client/v3/register"
            command = wrk.command(url, body, FLOOD, int(seconds) + 60, script)
            flood = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                results["flood"] = report(f"a flood on {FLOOD} connections", ask(port, seconds))
                idle, no_idle = open_all(port, IDLE, sources, VERSIONS, True)
                half, no_half = open_all(port, HALF_SENT, sources, HEAD, False)
                # Shorter than the server's patience with half a head.
                results["crowd"] = report("the flood and the crowd", ask(port, seconds))
                open_idle, open_half = still_open(idle), still_open(half)
            finally:
                flood.terminate()
                flood.wait()
        for connection in idle + half:
            connection.close()
        print(
            f"  of {IDLE} idle connections {open_idle} were open to the end ({no_idle} refused), "
            f"of {HALF_SENT} half-sent heads {open_half} ({no_half} refused)"
        )
        results["open"] = {"idle": open_idle, "half": open_half}
        results["after"] = report("afterwards", ask(port, seconds))
        return results
