"""The sandbox of a submission: a process that runs a student's code and answers the grader in time, or is ended."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from student_notebooks import ROOT
from worker import pack, read, write

SECONDS_TO_START = 120
LONGEST = 4 << 20  # bytes of a reply, a hundred times more than any right answer needs
STORAGE = str(64 << 20)  # bytes of files that a submission may write


class Stopped(Exception):
    """The sandbox did not answer in time, or died."""


class NoSandbox(RuntimeError):
    """This machine can't start a sandbox now: no fault of the submission."""


class Sandbox:
    """A process that runs a student's code, without a network and with no file but Python's and the package's."""

    def __init__(self):
        package, worker = ROOT / "aecourse", Path(__file__).with_name("worker.py")
        settings = {
            "HOME": "/tmp", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TQDM_DISABLE": "1",
        }  # fmt: skip
        command = [
            "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
            "--proc", "/proc", "--dev", "/dev", "--chdir", "/tmp", "--ro-bind", "/usr", "/usr",
        ]  # fmt: skip
        for place in ("/tmp", "/dev/shm"):
            command += ["--size", STORAGE, "--tmpfs", place]
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
        deadline = time.monotonic() + seconds
        try:
            write(_Timed(self.process.stdin, deadline), pack((kind, name, content)))
            return self._read(deadline)
        except Exception as error:  # no reply, or one that is no message
            self.close()
            raise Stopped from error

    def _read(self, deadline: float) -> tuple:
        reply = read(_Timed(self.process.stdout, deadline))
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
    """A pipe whose `read` and `write` raise Stopped when the deadline is over, or more comes than any answer needs."""

    def __init__(self, pipe: Any, deadline: float):
        self.pipe, self.deadline = pipe, deadline

    def read(self, count: int) -> bytes:
        if not 0 <= count <= LONGEST:
            raise Stopped
        parts = b""
        while len(parts) < count:
            if not select.select([self.pipe], [], [], self._left())[0]:
                raise Stopped
            part = os.read(self.pipe.fileno(), min(count - len(parts), 1 << 20))
            if not part:
                raise Stopped
            parts += part
        return parts

    def write(self, content: bytes) -> None:
        while content:
            if not select.select([], [self.pipe], [], self._left())[1]:
                raise Stopped
            content = content[os.write(self.pipe.fileno(), content[: select.PIPE_BUF]) :]  # so much does not wait

    def flush(self) -> None:
        """Do nothing: what is written is written."""

    def _left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


def missing_sandbox() -> str | None:
    """Return why no sandbox can be made here, or None if one can."""
    if shutil.which("bwrap") is None:
        return "The sandbox is missing. It needs Linux and bubblewrap: apt-get install bubblewrap"
    probe = subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, text=True)
    return f"bubblewrap may not make a sandbox on this machine: {probe.stderr.strip()}" if probe.returncode else None
