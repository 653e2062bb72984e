"""Runs a student's cells and calls their functions when the grader asks, alone in a sandbox where it sees nothing else.

It is never told what is right.  A message is JSON, in which a tensor is its bytes: the grader reads it without running
anything, and what it reads is no larger than what was sent.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import builtins
import codeop
import contextlib
import functools
import inspect
import io
import json
import linecache
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, MagicMock

import IPython
import numpy as np
import torch
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell

MEMORY = 3 << 30  # bytes of data that one process may use, and all processes of a submission together
STORAGE = 64 << 20  # bytes of files that a submission may write to a disk in memory
LARGEST_FILE = STORAGE + (1 << 20)  # on no disk either; a full disk says first that it is full
KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
DTYPES = {kind: getattr(torch, kind) for kind in KINDS}
RUN_THEIR_CELL = ("time", "capture", "prun")  # these magics run the cell below them in the notebook
DONE = ("writefile", "file", "run", "env", "set_env", "cd", "pylab")  # an answer may need what these magics do
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read(pipe: io.BufferedIOBase) -> Any:
    """Return the next message of a pipe.

    Raises:
        EOFError: if the other side is gone.
    """
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    return unpack(json.loads(pipe.read(struct.unpack("<q", head)[0])))


def write(pipe: io.BufferedIOBase, message: Any) -> None:
    """Send a message that was packed."""
    body = json.dumps(message).encode()
    pipe.write(struct.pack("<q", len(body)) + body)
    pipe.flush()


def pack(value: Any) -> Any:
    """Return a value as JSON can hold it: numbers, texts, tensors, lists, tuples; of anything else, the type's name.

    What NumPy takes for numbers, such as a fraction or a data frame's column, becomes a tensor of them.
    """
    if value is Ellipsis or value is NotImplemented:
        return None
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a whole number of {value.bit_length()} binary digits"  # more than the grader reads
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and len(value) <= 100_000:
        parts = [pack(part) for part in value]
        return {"tuple": parts} if type(value) is tuple else parts
    if not isinstance(value, torch.Tensor):
        kind = getattr(getattr(value, "dtype", None), "name", "")
        try:
            value = torch.from_numpy(np.array(value, dtype=kind if kind in DTYPES else np.float64))
        except (TypeError, ValueError, OverflowError):
            wants = "; return a list" if isinstance(value, map | zip) or hasattr(value, "__next__") else ""
            return f"a {type(value).__name__} object{wants}"
    tensor = value.detach().cpu()  # without its history, but with the mark that it has one
    tensor = tensor if tensor.dtype in DTYPES.values() else tensor.double()
    flat = tensor.reshape(-1).clone(memory_format=torch.contiguous_format)
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
        "data": base64.b64encode(flat.view(torch.uint8).numpy().tobytes()).decode(),
        "requires_grad": value.requires_grad,
    }  # fmt: skip


def unpack(value: Any) -> Any:
    """Return what was packed."""
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(unpack(part) for part in value["tuple"])
    data, dtype = bytearray(base64.b64decode(value["data"])), DTYPES[value["dtype"]]
    tensor = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return tensor.reshape(value["shape"]).requires_grad_(value["requires_grad"])


class TimeUp(BaseException):
    """The time for a cell is over; no `except Exception` in it holds this back."""


class Shell(InteractiveShell):
    """IPython as it is, but for windows, which nobody would see."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing."""


class Notebook:
    """What the cells of a notebook have defined so far, and how its functions stood when they were checked."""

    def __init__(self, space: dict[str, Any]):
        self.space, self.checked = space, {}
        self.compile = codeop.Compile()  # which remembers a `from __future__` for the cells below, as a notebook does
        self.compile.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        shell = MagicMock(user_ns=space)  # whatever else a cell wants of IPython, it gets something that does nothing
        shell.run_line_magic.side_effect = self._line_magic
        shell.run_cell_magic.side_effect = lambda *args: self.shell.run_cell_magic(*args)
        shell.run_cell.side_effect = shell.ex.side_effect = lambda source, **_: self.execute(source, "<cell of a cell>")
        self.given = {"get_ipython": lambda: shell, "display": IPython.display.display}
        space |= self.given

    @functools.cached_property
    def shell(self) -> Shell:
        """IPython, for the few magics that are done."""
        made = Shell(user_module=sys.modules["__main__"], user_ns=self.space)
        self.space |= self.given  # of which it has its own
        return made

    @functools.cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where all cells run, so that one may await what another began."""
        return asyncio.new_event_loop()

    def answer(self, kind: str, name: str, content: Any, seconds: float = 0.0) -> tuple:
        """Return the reply to a message: its kind, and what it brings, packed.

        After three quarters of the seconds, what is run is stopped: the rest is for what stands below it.
        """
        try:
            match kind:
                case "run":
                    signal.signal(signal.SIGALRM, _stop)
                    signal.setitimer(signal.ITIMER_REAL, 0.75 * seconds)
                    try:
                        self.execute(content, name)
                    finally:
                        signal.setitimer(signal.ITIMER_REAL, 0.0)
                case "define":
                    self.define(content, name)
                case "checked":  # here the notebook checks a function, with the helpers and constants that it has now
                    self.checked[name] = dict(self.space)
                case "changed":  # which questions were checked when some name stood for something else?
                    return "done", [question for question in self.checked if self._changed(question)], None
                case "call" | "call as checked":
                    with self._as_checked(name) if kind == "call as checked" else contextlib.nullcontext():
                        if not callable(self.space.get(name)):
                            return "missing", None, None
                        value = self.space[name](*content)
                    return "value", pack(value), pack(content)
        except TimeUp:
            return "late", None, None
        except BaseException as error:  # SystemExit too: nothing that a student raises ends the grading
            return "error", f"raised {type(error).__name__}: {str(error)[:500]}{where(error)}", None
        return "done", None, None

    def execute(self, source: str, name: str) -> None:
        """Run a cell as a notebook does, and after an error, which may be the sandbox's, also what stands below it."""
        first = None
        for node in self.parse(source, name).body:
            try:
                self.run(node, name)
            except BaseException as error:
                first = first or error
        if first:
            raise first

    def define(self, source: str, name: str) -> None:
        """Run only what takes no time in a cell: imports, functions, classes, and values that no call makes."""
        for node in self.parse(source, name).body:
            if isinstance(node, DEFINITIONS) or (isinstance(node, ast.Assign | ast.AnnAssign) and not _calls(node)):
                with contextlib.suppress(BaseException):
                    self.run(node, name)

    def parse(self, source: str, name: str) -> ast.Module:
        """Return the code of a cell, without the magic that stands for all of it."""
        # IPython itself says what is a magic and what an operator at the beginning of a line.
        source = TransformerManager().transform_cell(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        tree = ast.parse(source, name)
        match tree.body:
            case [
                ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), [ast.Constant(magic), _, ast.Constant(rest)]))
            ] if magic not in DONE:
                return self.parse(rest if magic in RUN_THEIR_CELL else "", name)
        return tree

    def run(self, node: ast.stmt, name: str) -> None:
        """Run a statement, also where it awaits something."""
        code = self.compile(ast.Module([node], []), name, "exec")

        async def evaluate() -> None:
            result = eval(code, self.space)
            if code.co_flags & inspect.CO_COROUTINE:
                await result

        if _is_in_a_loop():  # a cell within a cell
            eval(code, self.space)
        else:
            self.loop.run_until_complete(evaluate())

    def _changed(self, question: str) -> bool:
        return any(self.space.get(name) is not it for name, it in self.checked[question].items())

    @contextlib.contextmanager
    def _as_checked(self, name: str) -> Iterator[None]:
        """Let all names stand for what they stood for when this question was checked."""
        now = dict(self.space)
        self.space.clear()
        self.space.update(self.checked.get(name, {}))
        try:
            yield
        finally:
            self.space.clear()
            self.space.update(now)

    def _line_magic(self, name: str, line: str, *_: Any) -> Any:
        if name == "time":
            self.execute(line, "<cell of %time>")
        return self.shell.run_line_magic(name, line) if name in DONE else DEFAULT


def _stop(*_: Any) -> None:
    raise TimeUp


def _is_in_a_loop() -> bool:
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False


def _calls(node: ast.AST) -> bool:
    """Return whether making a value calls something; the body of a lambda waits."""
    if isinstance(node, ast.Lambda):
        return False
    return isinstance(node, ast.Call) or any(map(_calls, ast.iter_child_nodes(node)))


def where(error: BaseException) -> str:
    """Return the student's line at which an error arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<cell")]
    return f", at `{frames[-1].line}`" if frames and frames[-1].line else ""


def main() -> None:
    """Answer requests from standard input on standard output until the grader is gone."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a student prints goes nowhere
        os.dup2(nothing, stream)
    builtins.input = lambda prompt="": ""  # nobody is there to ask
    # What is right is hidden in the sandbox; cells that ask for a check are told nothing, in a form they can read.
    sys.modules["aecourse.exercises"] = SimpleNamespace(
        check=lambda question, *args, **settings: SimpleNamespace(question=question, right=True, message="")
    )
    import aecourse  # noqa: F401 - before the limit, and before the clock of the first cell

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    sys.path[0] = ""  # modules that a cell has written lie where it runs
    sys.modules["__main__"] = module = ModuleType("__main__")  # where a notebook's names live
    notebook = Notebook(vars(module))
    IPython.get_ipython = notebook.space["get_ipython"]  # for cells, and libraries, that import it
    write(replies, ("ready", None, None))
    with contextlib.suppress(EOFError):
        while True:
            write(replies, notebook.answer(*read(requests)))


if __name__ == "__main__":
    sys.exit(main())
