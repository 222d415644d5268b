"""A user's function as a thing of its own: frozen with what it refers to, and told apart by digests.

`freeze` copies a function with the values of the names it uses, so that later changes to them change nothing.
`fingerprint` names the machine code that it will give; `source_digest` names what the user wrote, for model files.
"""

import dis
import hashlib
import inspect
import io
import textwrap
import tokenize
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm._compile import inlined_checking_indices
from fastebm.lanes import language

WORDS = (language.where, language.zeros, language.sigmoid, language.softplus)
_LIBRARIES = ("cmath", "math", "numba", "numpy")  # their version says what is in them


class _NotReproducible(Exception):
    """A value that a digest cannot tell apart from others."""


class FrozenModule(types.ModuleType):
    """Those attributes of a module of the user's that a frozen function may look up in it."""


def freeze(function: Callable[..., Any], _copies: dict[int, Any] | None = None) -> Any:
    """A copy of `function` that owns what it refers to: arrays are copied, plain helper functions compiled."""
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"the energy is of type {type(function).__name__}; pass a plain Python function.")
    copies = {} if _copies is None else _copies
    namespace: dict[str, Any] = {"__builtins__": function.__globals__.get("__builtins__", __builtins__)}
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    twin = types.FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, cells)
    # Loading machine code imports the modules of its functions. That must not be the user's, which may be gone by then.
    twin.__qualname__, twin.__module__ = function.__qualname__, __name__
    copies[id(function)] = twin

    def own(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            # two names of one array stay two names of one; an array without axes is a number
            return copies.setdefault(id(value), _owned(value)) if value.ndim else _owned(value)[()]
        if isinstance(value, types.FunctionType) and value not in WORDS:
            known = copies.get(id(value))
            if known is None:
                known = copies[id(value)] = inlined_checking_indices(freeze(value, copies))
            return known
        if value is np.where:
            return language.where  # of numbers Numba's makes an array
        words = {word for code in _codes(function.__code__) for word in code.co_names}
        if isinstance(value, types.ModuleType) and (_is_users(value) or (value is np and "where" in words)):
            known = copies.setdefault(id(value), FrozenModule(value.__name__))
            for word in words:
                if hasattr(value, word) and not hasattr(known, word):
                    setattr(known, word, None)  # in case the module leads back to itself
                    setattr(known, word, own(getattr(value, word)))
            return known
        return value

    namespace.update((name, own(value)) for name, value in globals_of(function))
    for cell, original in zip(cells, function.__closure__ or (), strict=True):
        cell.cell_contents = own(original.cell_contents)
    return twin


def _is_users(module: types.ModuleType) -> bool:
    return module.__name__.partition(".")[0] not in _LIBRARIES


def _owned(array: Any) -> Any:
    """A copy, of floats as float64, and of truth values and integers as int64 as far as they have room there."""
    if array.dtype.kind == "f":
        return np.array(array, dtype=np.float64, order="C")
    if array.dtype.kind in "biu" and (array.dtype.itemsize < 8 or array.size == 0 or array.max() < 2**63):
        return np.array(array, dtype=np.int64, order="C")
    return array.copy()


def fingerprint(functions: Sequence[Any]) -> str | None:
    """Digest of the bytecode of frozen functions and of all they refer to; None where something has no stable name."""
    try:
        return _digest(functions, _bytecode)
    except _NotReproducible:
        return None


def source_digest(functions: Sequence[Any]) -> str | None:
    """Digest of the source text of frozen functions, comments apart, and of the data they refer to."""
    try:
        return _digest(functions, _source)
    except _NotReproducible:
        return None


def _digest(functions: Sequence[Any], code_of: Callable[[Any], bytes]) -> str:
    total = hashlib.sha256()
    seen: dict[int, int] = {}

    def add(*values: Any) -> None:
        for value in values:
            total.update(repr(type(value)).encode())
            if isinstance(value, Dispatcher):
                value = value.py_func
            if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
                total.update(repr(value).encode())
            elif isinstance(value, tuple):
                total.update(str(len(value)).encode())
                add(*value)
            elif isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
                total.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
            elif isinstance(value, types.FunctionType) and value in WORDS:
                total.update(value.__name__.encode())
            elif isinstance(value, types.FunctionType):
                known = id(value) in seen
                total.update(str(seen.setdefault(id(value), len(seen))).encode())
                if not known:
                    total.update(code_of(value))
                    add(value.__defaults__, *(part for item in globals_of(value) for part in item))
                    add(*(cell.cell_contents for cell in value.__closure__ or ()))
            elif isinstance(value, FrozenModule):
                words = sorted(word for word in vars(value) if not word.startswith("__"))
                add(*(part for word in words for part in (word, getattr(value, word))))
            elif isinstance(value, types.ModuleType) and not _is_users(value):
                add(value.__name__, value.__dict__.get("__version__"))
            elif isinstance(value, types.BuiltinFunctionType | np.ufunc | type | type(np.where)):
                add(getattr(value, "__module__", None), value.__name__)
            else:
                raise _NotReproducible

    add(*functions)
    return total.hexdigest()


def globals_of(function: types.FunctionType) -> list[tuple[str, Any]]:
    """The global names that a function's code refers to, with their values, sorted by name."""
    words = [word for code in _codes(function.__code__) for word in dis.get_instructions(code)]
    names = {word.argval for word in words if word.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return [(name, function.__globals__[name]) for name in sorted(names) if name in function.__globals__]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _bytecode(function: types.FunctionType) -> bytes:
    parts: list[Any] = []
    for code in _codes(function.__code__):
        constants = [value for value in code.co_consts if not isinstance(value, types.CodeType)]
        parts.append((code.co_code, code.co_names, code.co_varnames, constants))
    return repr(parts).encode()


def _source(function: types.FunctionType) -> bytes:
    """The function's tokens from `def` or `lambda` on, without comments and layout; bytecode if there is no source."""
    try:
        text = textwrap.dedent(inspect.getsource(function.__code__))
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return _bytecode(function)
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    words = [token.string for token in tokens if token.type not in layout]
    start = next((place for place, word in enumerate(words) if word in ("def", "lambda")), 0)
    return " ".join(words[start:]).encode()
