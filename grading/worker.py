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
import inspect
import io
import json
import linecache
import os
import resource
import struct
import sys
import traceback
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, MagicMock

import IPython
import numpy as np
import torch
from IPython.core.inputtransformer2 import TransformerManager

MEMORY = 3 << 30  # bytes of data that one submission may use
KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
DTYPES = {kind: getattr(torch, kind) for kind in KINDS}
RUN_THEIR_CELL = ("time", "capture", "prun")  # these magics run the cell below them in the notebook
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


class Notebook:
    """What the cells of a notebook have defined so far, and how its functions stood when they were checked."""

    def __init__(self, space: dict[str, Any]):
        self.space, self.checked = space, {}
        self.compile = codeop.Compile()  # which remembers a `from __future__` for the cells below, as a notebook does
        self.compile.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        shell = MagicMock()  # whatever a cell wants of IPython, it gets something that does nothing
        shell.run_line_magic.side_effect = self._line_magic
        space |= {"get_ipython": lambda: shell, "display": IPython.display.display}

    def answer(self, kind: str, name: str, content: Any) -> tuple:
        """Return the reply to a message: its kind, and what it brings, packed."""
        try:
            match kind:
                case "run":
                    self.execute(content, name)
                case "define":
                    self.define(content, name)
                case "checked":  # here the notebook checks a function
                    self.checked[name] = self.space.get(name)
                case "changed":  # which functions are no longer what they were when they were checked?
                    return "done", [each for each, it in self.checked.items() if it is not self.space.get(each)], None
                case "call" | "call as checked":
                    function = (self.space if kind == "call" else self.checked).get(name)
                    if not callable(function):
                        return "missing", None, None
                    value = function(*content)
                    return "value", pack(value), pack(content)
        except BaseException as error:  # SystemExit too: nothing that a student raises ends the grading
            return "error", f"raised {type(error).__name__}: {str(error)[:500]}{where(error)}", None
        return "done", None, None

    def execute(self, source: str, name: str) -> None:
        """Run a cell as a notebook does; after an error, still define what stands below it."""
        tree = self.parse(source, name)
        try:
            self.run(tree, name)
        except BaseException:
            self._define(tree, name)
            raise

    def define(self, source: str, name: str) -> None:
        """Run only what takes no time in a cell: imports, functions, classes, and values that no call makes."""
        self._define(self.parse(source, name), name)

    def parse(self, source: str, name: str) -> ast.Module:
        """Return the code of a cell, without the magic that stands for all of it."""
        # IPython itself says what is a magic and what an operator at the beginning of a line.
        source = TransformerManager().transform_cell(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        tree = ast.parse(source, name)
        match tree.body:
            case [
                ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), [ast.Constant(magic), _, ast.Constant(rest)]))
            ]:
                return self.parse(rest if magic in RUN_THEIR_CELL else "", name)
        return tree

    def run(self, tree: ast.Module, name: str) -> None:
        """Run code, also where it awaits something."""
        code: CodeType = self.compile(tree, name, "exec")
        result = eval(code, self.space)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(result)

    def _line_magic(self, name: str, line: str, *_: Any) -> Any:
        if name == "time":
            self.execute(line, "<cell of %time>")
        return DEFAULT

    def _define(self, tree: ast.Module, name: str) -> None:
        for node in tree.body:
            if isinstance(node, DEFINITIONS) or (isinstance(node, ast.Assign | ast.AnnAssign) and not _calls(node)):
                with contextlib.suppress(BaseException):
                    self.run(ast.Module([node], []), name)


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
    sys.modules["__main__"] = module = ModuleType("__main__")  # where a notebook's names live
    notebook = Notebook(vars(module))
    IPython.get_ipython = notebook.space["get_ipython"]  # for cells, and libraries, that import it
    write(replies, ("ready", None, None))
    with contextlib.suppress(EOFError):
        while True:
            write(replies, notebook.answer(*read(requests)))


if __name__ == "__main__":
    sys.exit(main())
