"""A process that is measured: what it has used, and its end."""

import os
import subprocess

# A process's time on a processor, in the kernel too, from /proc: see stat in proc(5).
TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """Whose child it is, and how many seconds of a processor's time it has used."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        # The name may hold anything, and ends with the last bracket.
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def end(process, patience):
    """Ends it, by force if it has not ended after so many seconds."""
    process.terminate()
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
