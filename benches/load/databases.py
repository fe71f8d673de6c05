"""Redis and PostgreSQL as Debian has them, each on a port and in a directory of its own."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

from .process import end, stat


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Database:
    """A server that runs, until it is left."""

    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix="matrix-uia-bench-db-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.log = open(os.path.join(self.dir, f"{name}.log"), "wb")

    def start(self, command, **options):
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.dir, **options)
        for _ in range(200):
            if self.answers():
                return
            time.sleep(0.1)
        raise SystemExit(f"{command[0]} does not answer: see {self.log.name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process, 20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def cpu(self):
        """Seconds, of those of its processes that are alive."""
        total = stat(self.process.pid)[1]
        for path in glob.glob("/proc/[0-9]*"):
            try:
                parent, used = stat(os.path.basename(path))
            except OSError:
                continue
            total += used if parent == self.process.pid else 0
        return total


class Redis(Database):
    """With its log on disk, written once a second: as `appendonly yes` has it."""

    def __init__(self):
        super().__init__("redis")
        self.url = f"redis://127.0.0.1:{self.port}"
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir]
        self.start(command + ["--appendonly", "yes", "--save", ""])

    def ask(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def answers(self):
        return self.ask("ping") == "PONG"

    def sessions(self):
        """How many there are, and how many bytes they take."""
        memory = self.ask("info", "memory").split("used_memory:")[1].split()[0]
        return int(self.ask("zcard", "{uia:localhost}:ends")), int(memory)

    @staticmethod
    def is_there():
        return shutil.which("redis-server") is not None


class Postgres(Database):
    """With every commit on disk: as it is unless told otherwise."""

    def __init__(self):
        super().__init__("postgres")
        self.url = f"postgres://uia@127.0.0.1:{self.port}/postgres"
        self.bin, data, options = self.programs(), os.path.join(self.dir, "data"), {}
        if os.getuid() == 0:
            # It refuses to run as root.
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        make = [os.path.join(self.bin, "initdb"), "-D", data, "-U", "uia", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, check=True, stdout=self.log, cwd=self.dir, **options)
        command = [os.path.join(self.bin, "postgres"), "-D", data, "-p", str(self.port), "-k", self.dir]
        self.start(command + ["-c", "listen_addresses=127.0.0.1"], **options)

    def ask(self, sql):
        at = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "uia", "-Atc", sql, "postgres"]
        return subprocess.run([os.path.join(self.bin, "psql"), *at], capture_output=True, text=True, check=False).stdout

    def answers(self):
        return self.ask("SELECT 1").strip() == "1"

    def sessions(self):
        """How many there are, and how many bytes they take with their indexes."""
        self.ask("VACUUM FULL uia_sessions")
        found = self.ask("SELECT count(*), pg_total_relation_size('uia_sessions') FROM uia_sessions")
        return tuple(int(number) for number in found.split("|"))

    @staticmethod
    def programs():
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        return os.path.dirname(found[-1]) if found else None

    @classmethod
    def is_there(cls):
        return cls.programs() is not None
