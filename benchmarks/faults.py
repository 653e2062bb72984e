"""Small faults of the kind that people make, found in a Python source: `<` for `<=`, 0 for 1, a call that is missing.

No text, type hint, decorator or import is changed, no table of numbers, no default of a seed or of a batch's size, not
the looks of a figure (how thick its lines are), not the inputs that a question of an exercise draws (others would do as
well, as long as each mistake is still found out, which tests demand), and little that could only crash.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

OPERATORS = {
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In], ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is], ast.And: [ast.Or], ast.Or: [ast.And], ast.Add: [ast.Sub], ast.Sub: [ast.Add],
    ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.Pow: [ast.Mult], ast.FloorDiv: [ast.Mult], ast.Mod: [ast.FloorDiv],
    ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd], ast.MatMult: [],
}  # fmt: skip
PAIRS = [
    ("min", "max"), ("any", "all"), ("argmin", "argmax"), ("amin", "amax"), ("sum", "mean"), ("zeros", "ones"),
    ("zeros_like", "ones_like"), ("floor", "ceil"), ("sin", "cos"), ("std", "var"),
]  # fmt: skip
SWAPS = dict(PAIRS) | {b: a for a, b in PAIRS}
LEFT_OUT = {
    "abs", "ceil", "clamp", "clone", "cumsum", "detach", "exp", "flip", "floor", "log", "log2", "log_softmax",
    "normalize", "relu", "round", "sigmoid", "softmax", "sorted", "sqrt", "square", "tanh",
}  # fmt: skip
EVEN = {"abs", "norm", "square"}  # of a − b they make the same as of b − a
SYMMETRIC = {
    "max",
    "min",
    "maximum",
    "minimum",
    "logaddexp",
    "allclose",
    "squared_error",
    "squared_mmd",
    "_kernel",
    "transpose",
    "swapaxes",
}
LOOKS = {
    "alpha", "bbox", "height", "linestyle", "linewidth", "linewidths", "marker", "markersize", "pad", "padding", "s",
    "shrink", "size", "weight", "width", "zorder",
}  # fmt: skip
DRAWN = ("axis.", "axes.", "figure.", "_panels", "_side_by_side")
GUARDS = {"strict", "device", "devices", "encoding", "stacklevel", "validate_args"}  # no test can miss them here
ARBITRARY = {"batch_size", "seed"}
HINTS = {"annotation", "returns", "decorator_list"}
SEQUENCE = ast.Tuple | ast.List


@dataclass(frozen=True)
class Fault:
    """Bytes `start` to `end` of a file become `text`, so that `before`, in words, becomes `after`.

    What may see it runs one of the lines of the first `reach` that anything runs.  A `default` of a function's
    argument is seen, too, by what compares signatures.
    """

    file: str
    function: str
    line: int
    before: str
    after: str
    start: int
    end: int
    text: str
    reach: tuple[range, ...]
    default: bool

    def put_into(self, source: bytes) -> bytes:
        """Return the source with the fault."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def find(source: bytes, file: str = "") -> list[Fault]:
    """Return every fault that can be made in a Python source, in the order of its parts."""
    tree, found = ast.parse(source), []
    starts = [0, *accumulate(map(len, source.splitlines(keepends=True)))]

    def add(old: ast.AST, new: ast.AST, scope: list[ast.AST], statement: ast.AST) -> None:
        start, end = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
        text = ast.unparse(new)
        if isinstance(new, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.UnaryOp):
            text = f"({text})"
        first, last = starts[old.lineno - 1], starts[old.end_lineno]
        words = source[first:last].decode(), (source[first:start] + text.encode() + source[end:last]).decode()
        reach = [range(old.lineno, old.end_lineno + 1)]
        default = isinstance(scope[-1], ast.FunctionDef) and statement is scope[-1]
        if isinstance(scope[-1], ast.FunctionDef) and not default:
            body = getattr(statement, "body", None)
            reach = [range(statement.lineno, body[0].lineno if body else statement.end_lineno + 1)]
        else:  # an import runs it: whoever runs the function, the class, or anything of the file may see it
            reach += [range(each.lineno + 1, each.end_lineno + 1) for each in scope[:0:-1]] + [range(1, len(starts))]
        name = ".".join(each.name for each in scope[1:])
        before, after = (" ".join(each.split()) for each in words)
        found.append(Fault(file, name, old.lineno, before, after, start, end, text, tuple(reach), default))

    def visit(node: ast.AST, parent: ast.AST, scope: list[ast.AST], statement: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef) and ast.unparse(node.args).startswith("random: torch.Generator"):
            return  # draws a question's inputs
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = [*scope, node]
        statement = node if isinstance(node, ast.stmt) else statement
        for old, new in [*_expressions(node, parent), *_statements(node, scope)]:
            add(old, new, scope, statement)
        table = isinstance(node, SEQUENCE) and isinstance(parent, SEQUENCE)
        alone = _arbitrary(node) if isinstance(node, ast.arguments) else []
        for value in (value for field, value in ast.iter_fields(node) if field not in HINTS):
            for child in value if isinstance(value, list) else [value]:
                number = table and isinstance(child, ast.Constant)
                looks = isinstance(child, ast.keyword) and child.arg in _unseen(node)
                if isinstance(child, ast.AST) and child not in alone and not (number or looks or _left_alone(child)):
                    visit(child, node, scope, statement)

    visit(tree, tree, [tree], tree)
    return found


def _left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True  # among them the words of errors, and docstrings
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Call(func=ast.Attribute(attr="warn") | ast.Name(id="isinstance" | "getattr" | "hasattr")):
            return True
    return False


def _arbitrary(node: ast.arguments) -> list[ast.AST]:
    """Return the defaults of a function for which any other would do as well."""
    named = [*node.posonlyargs, *node.args]
    pairs = [*zip(named[::-1], node.defaults[::-1], strict=False), *zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    return [default for argument, default in pairs if argument.arg in ARBITRARY]


def _unseen(node: ast.Call) -> set[str]:
    """Return the arguments of a call that no test is there to miss."""
    return GUARDS | LOOKS if ast.unparse(node.func).startswith(DRAWN) else GUARDS


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _expressions(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the faults of an expression: the part that is replaced, and by what."""
    match node:
        case ast.Constant(value=bool(value)):
            yield node, ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield from ((node, ast.Constant(other)) for other in {0: [1], 1: [0, 2]}.get(value, [value + 1]))
        case ast.Constant(value=float(value)):
            yield node, ast.Constant(2 * value or 1.0)
        case ast.Compare(ops=[operator]):
            yield from ((node, _changed(node, ops=[new()])) for new in OPERATORS[type(operator)])
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            yield from ((node, _changed(node, op=new())) for new in OPERATORS[type(operator)])
            yield node, left
            even = isinstance(operator, ast.Sub) and getattr(parent, "attr", None) in EVEN
            if isinstance(operator, ast.Sub | ast.Div | ast.Pow | ast.MatMult) and not even:
                yield node, _changed(node, left=right, right=left)
        case ast.BoolOp(op=operator, values=[first, *others]):
            yield node, _changed(node, op=OPERATORS[type(operator)][0]())
            yield node, first
            yield node, _changed(node, values=others) if len(others) > 1 else others[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, operand
        case ast.IfExp(test=test) | ast.If(test=test) | ast.While(test=test):
            if not isinstance(test, ast.Compare | ast.UnaryOp):
                yield test, ast.UnaryOp(ast.Not(), test)
        case ast.comprehension(ifs=[test, *_]):
            yield test, ast.Constant(True)
        case ast.Slice():
            for side in ("lower", "upper"):
                if getattr(node, side) is not None:
                    yield node, _changed(node, **{side: None})
        case ast.Call():
            yield from ((node, new) for new in _calls(node))


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    field = "attr" if isinstance(node.func, ast.Attribute) else "id"
    name = getattr(node.func, field, None)
    if name in SWAPS:
        yield _changed(node, func=_changed(node.func, **{field: SWAPS[name]}))
    if name in LEFT_OUT:
        owner = getattr(node.func, "value", None)
        of_a_module = owner is None or (isinstance(owner, ast.Name) and owner.id in ("F", "math", "np", "torch"))
        yield from node.args[:1] if of_a_module else [owner]
    match node.args:
        case [first, second, *others] if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
            either_way = name in SYMMETRIC or "check" in ast.unparse(node.func)  # a check names both in its message
            if not either_way and ast.unparse(first) != ast.unparse(second):
                yield _changed(node, args=[second, first, *others])
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in _unseen(node):
            yield _changed(node, keywords=[each for each in node.keywords if each is not keyword])


def _statements(node: ast.AST, scope: list[ast.AST]) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the faults of a statement in a function: it is missing, or gives back what it was given."""
    if not isinstance(scope[-1], ast.FunctionDef) or not isinstance(node, ast.stmt):
        return
    given = [each.arg for each in scope[-1].args.args if each.arg not in ("self", "cls")]
    match node:
        case ast.Return(value=ast.AST() as value) if given and ast.unparse(value) != given[0]:
            yield value, ast.Name(given[0])
        case ast.If(body=[ast.Raise()], orelse=[], test=test):
            yield test, ast.Constant(False)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Break() | ast.Continue():
            yield node, ast.Pass()
        case ast.Assign(targets=[ast.Subscript()]):
            yield node, ast.Pass()
        case ast.Assign(targets=[ast.Name(id=name)]):  # where the name keeps what it had
            stored = (each for each in ast.walk(scope[-1]) if isinstance(each, ast.Name) and each.id == name)
            if name in given or any(isinstance(each.ctx, ast.Store) and each.lineno < node.lineno for each in stored):
                yield node, ast.Pass()
