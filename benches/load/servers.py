"""The servers that are measured: built, started on free ports, ended."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from .process import end, stat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYNAPSE = os.path.join(ROOT, "tests", "interop", "synapse", "run")


def build(profile, package, *target):
    """The path of a program of the workspace."""
    command = ["cargo", "build", "--profile", profile, "--quiet", "--package", package, *target]
    command.append("--message-format=json")
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    built = [json.loads(line).get("executable") for line in run.stdout.splitlines() if line.startswith("{")]
    return [path for path in built if path][-1]


class Server:
    """A program that says on its first line where it listens."""

    def __init__(self, program, *arguments, under=()):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*under, program, *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://\S+)\n", line)
        if not found:
            self.log.seek(0)
            raise SystemExit(f"{program} does not listen: {self.log.read().decode(errors='replace')}")
        self.url = found.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process, 30)
        self.process.stdout.close()
        self.log.close()

    def cpu(self):
        """How many seconds of a processor's time it has used, in the kernel too."""
        return stat(self.process.pid)[1]

    def port(self):
        return int(self.url.rsplit(":", 1)[1])


class Homeserver(Server):
    """The example homeserver; with `data` everything is in SQLite, in a directory that goes with it."""

    def __init__(self, program, data=False, config=None, under=()):
        self.dir = tempfile.mkdtemp(prefix="matrix-uia-bench-")
        arguments = ["--listen", "127.0.0.1:0"]
        if data:
            arguments += ["--data", os.path.join(self.dir, "data")]
        if config is not None:
            file = os.path.join(self.dir, "config.json")
            with open(file, "w", encoding="utf-8") as out:
                json.dump(config, out)
            arguments += ["--config", file]
        try:
            super().__init__(program, *arguments, under=under)
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def __exit__(self, *exception):
        super().__exit__(*exception)
        shutil.rmtree(self.dir, ignore_errors=True)


def is_challenged(url, body):
    """Whether a server answers a request with a challenge: 401, with flows and a session."""
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60):
            return False
    except urllib.error.HTTPError as error:
        answer = json.load(error)
        return error.code == 401 and "flows" in answer and "session" in answer
