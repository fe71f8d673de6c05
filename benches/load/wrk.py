"""Load by wrk: so many connections, each with one request after the other."""

import os
import re
import shutil
import subprocess
import tempfile

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def need():
    """Whether there is a wrk now; Debian's is installed where it may be."""
    if not shutil.which("wrk") and os.getuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which("wrk") is not None


def command(url, body, connections, seconds, script):
    threads = min(connections, 2)
    script.write(
        'wrk.method = "POST"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [[{body}]]\n"
    )
    script.flush()
    return ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "--latency"] + [
        "-s", script.name, url]


# Linux lets a process that has waited interrupt the one that it has waited for. A server that shares its processors
# with wrk is interrupted at every other answer then, and the slower it is, the more often: wrk waits more. As a batch job
# wrk waits for its turn.
AS_BATCH = ["chrt", "--batch", "0"]


def run(url, body, connections, seconds, interrupts=False):
    """Requests, how many a second, and within how many seconds half and 99 % of the answers came."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        asked = command(url, body, connections, seconds, script)
        if not interrupts and shutil.which("chrt"):
            asked = AS_BATCH + asked
        output = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Socket errors: .*", output)
    if errors and re.search(r"(connect|read|write) [1-9]", errors.group(0)):
        raise SystemExit(f"{url}: {errors.group(0)}")
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))
    return {"requests": requests, "rate": rate, "p50": quantile(output, 50), "p99": quantile(output, 99)}


def quantile(output, percent):
    """Infinite where nothing was answered in time."""
    found = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    return float(found.group(1)) * UNITS[found.group(2)] if found else float("inf")
