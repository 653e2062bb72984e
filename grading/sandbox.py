"""The sandbox of a submission: a process that runs a student's code and answers the grader in time, or is ended."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from student_notebooks import ROOT
from worker import MEMORY, STORAGE, pack, read, write

SECONDS_TO_START = 120
LONGEST = 4 << 20  # bytes of a reply, a hundred times more than any right answer needs
MOST_PROCESSES = 64  # of a submission at one time
LONGEST_WAIT = 9  # times the seconds of a request: so long it may wait for a processor that others keep busy


class Stopped(Exception):
    """The sandbox did not answer in time, or died."""


class NoSandbox(RuntimeError):
    """This machine can't start a sandbox now: no fault of the submission."""


class Sandbox:
    """A process that runs a student's code, without a network and with no file but Python's and the package's."""

    def __init__(self):
        package, worker = ROOT / "aecourse", Path(__file__).with_name("worker.py")
        settings = {
            "HOME": "/tmp", "USER": "student", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TQDM_DISABLE": "1",
        }  # fmt: skip
        command = [
            "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
            "--proc", "/proc", "--dev", "/dev", "--chdir", "/tmp", "--ro-bind", "/usr", "/usr",
        ]  # fmt: skip
        for place in ("/tmp", "/dev/shm"):
            command += ["--size", str(STORAGE), "--tmpfs", place]
        for place in ("/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/fonts"):
            command += ["--ro-bind-try", place, place]
        for place in sorted({sys.base_prefix, sys.prefix, str(package), str(worker)}):
            command += ["--ro-bind", place, place]
        command += ["--tmpfs", str(package / "exercises")]  # which hold what is right
        for place in ("/", "/dev", str(package / "exercises")):  # they lie in memory, without a limit
            command += ["--remount-ro", place]
        for name, value in settings.items():
            command += ["--setenv", name, value]
        self.process = subprocess.Popen(
            [*command, sys.executable, str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self._read(time.monotonic() + SECONDS_TO_START)
            self.worker = [0, *self._processes()][-1]
        except Stopped:
            self.process.kill()
            told = self.process.stderr.read().decode(errors="replace")[-500:]
            self.close()
            raise NoSandbox(f"the sandbox does not start: {told}") from None

    def ask(self, kind: str, name: str, content: Any, seconds: float) -> tuple:
        """Return the reply to a message: a kind, and two things that it brings.

        Raises:
            Stopped: if none comes in time; the sandbox is then gone.
        """
        deadline, before = time.monotonic() + seconds, self._waited()

        def look() -> float:
            self._look_after()
            return min(self._waited() - before, LONGEST_WAIT * seconds)

        try:
            write(_Timed(self.process.stdin, deadline, look), pack((kind, name, content, seconds)))
            return self._read(deadline, look)
        except Exception as error:  # no reply, or one that is no message
            self.close()
            raise Stopped from error

    def _processes(self) -> list[int]:
        """Return the numbers of the processes in the sandbox: its own two, and then what these began."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                parents[int(stat.parent.name)] = int(stat.read_bytes().rpartition(b")")[2].split()[1])
        found = [self.process.pid]
        for each in found:
            found += [process for process, parent in parents.items() if parent == each]
        return found[1:]

    def _waited(self) -> float:
        """Return for how many seconds the student's code has been ready to run, but others had the processors."""
        with contextlib.suppress(OSError, IndexError):
            return int(Path(f"/proc/{self.worker}/schedstat").read_text().split()[1]) / 1e9
        return 0.0

    def _look_after(self) -> None:
        """Raise Stopped if a submission takes memory or processes from the others."""
        everyone, memory = self._processes(), 0
        for each in everyone[:MOST_PROCESSES]:
            with contextlib.suppress(OSError):  # of memory that several share, each has its part
                parts = re.findall(r"^Pss: +(\d+) kB", Path(f"/proc/{each}/smaps_rollup").read_text(), re.MULTILINE)
                memory += 1024 * sum(map(int, parts))
        if len(everyone) > MOST_PROCESSES or memory > MEMORY:
            raise Stopped

    def _read(self, deadline: float, look: Callable[[], float] | None = None) -> tuple:
        reply = read(_Timed(self.process.stdout, deadline, look))
        if not isinstance(reply, list) or len(reply) != 3:
            raise Stopped
        return tuple(reply)

    def close(self) -> None:
        """End the process and all that it began."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class _Timed:
    """A pipe whose `read` and `write` raise Stopped when the deadline is over, or more comes than any answer needs.

    `look` is called now and then; it may raise Stopped too, and returns by how much the deadline is put off.
    """

    def __init__(self, pipe: Any, deadline: float, look: Callable[[], float] | None = None):
        self.pipe, self.deadline, self.look = pipe, deadline, look or (lambda: 0.0)

    def read(self, count: int) -> bytes:
        if not 0 <= count <= LONGEST:
            raise Stopped
        parts = b""
        while len(parts) < count:
            self._wait([self.pipe], [])
            part = os.read(self.pipe.fileno(), min(count - len(parts), 1 << 20))
            if not part:
                raise Stopped
            parts += part
        return parts

    def write(self, content: bytes) -> None:
        while content:
            self._wait([], [self.pipe])
            content = content[os.write(self.pipe.fileno(), content[: select.PIPE_BUF]) :]  # so much does not wait

    def flush(self) -> None:
        """Do nothing: what is written is written."""

    def _wait(self, to_read: list, to_write: list) -> None:
        while True:
            left = self.deadline - time.monotonic()
            if left < 0 and left + self.look() < 0:
                raise Stopped
            if any(select.select(to_read, to_write, [], min(max(left, 0.05), 0.5))):
                return
            self.look()


def missing_sandbox() -> str | None:
    """Return why no sandbox can be made here, or None if one can."""
    if shutil.which("bwrap") is None:
        return "The sandbox is missing. It needs Linux and bubblewrap: apt-get install bubblewrap"
    probe = subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, text=True)
    return f"bubblewrap may not make a sandbox on this machine: {probe.stderr.strip()}" if probe.returncode else None
