"""The one door to Numba: its flags, the types of compiled functions, their place on disk, its errors in one sentence.

Two decorators serve the whole library. `compiled(signature)` marks an entry point that Python calls: it is built on
first use, never at import, and its machine code is kept on disk. `inlined` marks a helper that only compiled code
calls. Numba's own disk cache is not used: it keys neither on flags nor on edits in other files, so that stale code
can come back. Here the file's name is a digest of everything that the machine code depends on.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import itertools
import logging
import os
import pickle
import re
import secrets
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core import errors
from numba.core.bytecode import FunctionIdentity
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from fastebm._checks import FastebmWarning

logger = logging.getLogger("fastebm")

# Numba numbers functions from 1 in every process and makes symbols of the numbers. Code that two processes kept on disk
# would have the same symbols, and in a third process the linker would put one function in the place of the other.
FunctionIdentity._unique_ids = itertools.count(secrets.randbits(62))

# `contract` lets a product and a sum fuse and nothing else: it keeps infinities, nan and the order of sums.
FLAGS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True}

VECTOR = types.Array(types.float64, 1, "C")
TILE = types.Array(types.float64, 2, "C")
TILES = types.Array(types.float64, 3, "C")
STREAM_TILE = types.Array(types.uint64, 2, "C")
STREAM_TILES = types.Array(types.uint64, 3, "C")

# The three faces of an energy. `packed` is theta with the energy's data behind it; see `energies`.
ENERGY_SIGNATURE = types.void(TILE, VECTOR, VECTOR)  # (x, packed, out (width,)): out[l] = E(x[:, l])
GRAD_SIGNATURE = types.void(TILE, VECTOR, TILE)  # (x, packed, out (dim, width)): out[:, l] = dE/dx at x[:, l]
GRAD_THETA_SIGNATURE = types.void(TILE, VECTOR, VECTOR, VECTOR)  # (x, packed, weights, out): out += sum_l w_l dE/dtheta
ENERGY = types.FunctionType(ENERGY_SIGNATURE)
GRAD = types.FunctionType(GRAD_SIGNATURE)
GRAD_THETA = types.FunctionType(GRAD_THETA_SIGNATURE)

NEEDS_ONE_CHAIN = "needs the value of one chain"  # the words of refusals that a loop over chains would not meet

inlined: Callable[[Callable[..., Any]], Any] = numba.njit(forceinline=True, **FLAGS)


def processor_has(feature: str) -> bool:
    """Whether machine code is made for a processor with this feature, by LLVM's name for it."""
    return f"+{feature}" in cpu_target.target_context.codegen()._tm_features.split(",")


class EnergyCompileError(TypeError):
    """The energy's source is not something that can be compiled; the message names the line and the remedy."""


class Compiled:
    """A function with one explicit signature, built on first use and kept on disk.

    Parameters
    ----------
    make : called on first use, returns the plain Python function.
    signature : its Numba signature.
    key : what, besides the sources of this library, decides the machine code; None for code that is not kept on disk.
    name : how messages call it.
    source : the user's function inside it, if there is one: what cannot be compiled is then the user's to mend.
    fallback : makes a slower function for a source that `make`'s cannot be compiled from, for the reason in `remedies`.
    """

    def __init__(
        self,
        make: Callable[[], Callable[..., Any]],
        signature: Any,
        key: str | None,
        name: str,
        source: Callable[..., Any] | None = None,
        fallback: Callable[[], Callable[..., Any]] | None = None,
    ) -> None:
        self.make = make
        self.signature = signature
        self.key = key
        self.name = name
        self.source = source
        self.fallback = fallback

    @functools.cached_property
    def pointer(self) -> Any:
        """The Numba function: what compiled code takes where it asks for a function."""
        try:
            return self._built(self.make)
        except (errors.NumbaError, errors.UnsupportedBytecodeError) as fault:
            if self.source is None:
                raise
            place, reason = _place(fault, self.source), _reason(_plain(fault))
            if self.fallback is None or NEEDS_ONE_CHAIN not in reason:
                raise explain(fault, self.source, self.name) from None
        warnings.warn(
            f"{self.name} is computed chain by chain, several times slower, since at {place} {reason}; "
            "write eb.where(condition, yes, no), or a loop over indices that do not depend on x.",
            FastebmWarning, stacklevel=2,
        )
        return self._built(self.fallback, " chain by chain")

    def _built(self, make: Callable[[], Callable[..., Any]], kind: str = "") -> Any:
        dispatcher = numba.njit(**FLAGS)(make())
        if self.key is None:
            logger.info("compiling %s", self.name)
        else:
            dispatcher._cache = _DiskCache(self.name, f"{self.key} {self.signature}{kind}")
        dispatcher.compile(self.signature)
        dispatcher.disable_compile()
        return dispatcher

    def __call__(self, *arguments: Any) -> Any:
        return self.pointer(*arguments)


def compiled(signature: Any) -> Callable[[Callable[..., Any]], Compiled]:
    """Mark a module-level function as an entry point with this signature."""

    def mark(function: Callable[..., Any]) -> Compiled:
        name = f"{function.__module__}.{function.__qualname__}"
        return Compiled(lambda: function, signature, name, name)

    return mark


class _DiskCache:
    """One file per function, in the place of Numba's cache object: `load_overload` and `save_overload` are its face."""

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key

    def path(self, codegen: Any) -> Path:
        target = repr(codegen.magic_tuple())  # instruction set and CPU features: machine code must not travel
        digest = hashlib.sha256("\n".join((_environment(), target, self.key)).encode()).hexdigest()
        return cache_folder() / f"{re.sub(r'[^A-Za-z0-9_]+', '_', self.name)}-{digest[:32]}.bin"

    def load_overload(self, _signature: Any, target_context: Any) -> Any:
        target_context.refresh()
        try:
            payload = self.path(target_context.codegen()).read_bytes()
            digest, code = payload[:32], payload[32:]
            if hashlib.sha256(code).digest() == digest:
                return CompileResult._rebuild(target_context, *pickle.loads(code))
        except OSError:
            pass
        logger.info("compiling %s", self.name)
        return None

    def save_overload(self, _signature: Any, result: Any) -> None:
        if result.library.has_dynamic_globals:
            return  # the address of a large array or of a foreign function means nothing to another process
        code = dumps(result._reduce())
        path = self.path(result.codegen)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.replace(temporary, path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
        except OSError as fault:
            _warn_once(
                f"compiled code cannot be kept in {path.parent} ({fault.strerror}), so that every process compiles "
                "again; free space there, or name another folder in the environment variable NUMBA_CACHE_DIR."
            )


def cache_folder() -> Path:
    """Where machine code is kept: NUMBA_CACHE_DIR if it is set, else the user's cache folder."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR) / "fastebm"
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fastebm"


@functools.cache
def _environment() -> str:
    """Everything outside one function that its machine code depends on: versions, flags and the library's sources."""
    sources = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        sources.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    flags = sorted((name, sorted(value) if isinstance(value, set) else value) for name, value in FLAGS.items())
    return repr((sys.version, versions, flags, sources.hexdigest()))


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, FastebmWarning, stacklevel=2)


def explain(fault: Exception, function: Callable[..., Any], what: str) -> EnergyCompileError:
    """Numba's many lines about the user's `function` as one sentence with the file, the line and the usual remedy."""
    face = what.split()[0]
    by_hand = f", or pass {face}= written by hand" if face.startswith("grad") else ""
    return EnergyCompileError(
        f"{what} cannot be compiled at {_place(fault, function)}: {_reason(_plain(fault))}; write plain scalar code: "
        "loops over x[i], math.* or NumPy's scalar functions, numbers, arrays of numbers, and helper functions of the "
        f"same kind{by_hand}."
    )


def _plain(fault: Exception) -> str:
    """Numba's report without colours and without where in Numba it came from."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(fault)).partition(". Raised from ")[0]


def _place(fault: Exception, function: Callable[..., Any]) -> str:
    """The file and the line of the user's function that the report is about, and what stands there."""
    code = function.__code__
    text, _, raised_from = re.sub(r"\x1b\[[0-9;]*m", "", str(fault)).partition(". Raised from ")
    places = re.findall(r'File "([^"]+)", line (\d+)', text) + re.findall(r"(\S+) \((\d+)\)", raised_from)
    name = os.path.basename(code.co_filename)
    lines = [int(line) for file, line in places if os.path.basename(file) == name]
    place = f"{code.co_filename}, line {lines[-1] if lines else code.co_firstlineno}"
    if lines:
        with contextlib.suppress(OSError, IndexError, TypeError):
            source, first = inspect.getsourcelines(function)
            place += f" ({source[lines[-1] - first].strip()})"
    return place


def _reason(text: str) -> str:
    """The one line of Numba's report that tells a user what is wrong."""
    patterns = (
        (r"Untyped global name '(\w+)'", "the name {0!r} is not defined, or not a number, an array or a function"),
        (r"NameError: name '(\w+)' is not defined", "the name {0!r} is not defined"),
        (r"Unknown attribute '(\w+)' of type ([^\n]+)", "there is no attribute {0!r} here"),
        (r"fastebm: ([^\n]+)", "{0}"),
        (r"No implementation of function [^\n]+\s+>>> ([\w.]+)\([^\n]*lanes", "{0!r} takes x as a whole"),
        (r"No implementation of function [^\n]+\s+>>> ([\w.]+)\(", "{0!r} does not take these arguments"),
        (r"(?:Unsupported|Use of unsupported)[^\n]*", "{all}"),
        (r"Cannot unify ([^\n]+?) and ([^\n]+?) for '(\w+)", "{2!r} is sometimes {0} and sometimes {1}"),
    )
    for pattern, sentence in patterns:
        if found := re.search(pattern, text):
            return sentence.format(*found.groups(), all=found.group(0).strip().rstrip("."))
    said = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in said if not line.startswith(("Failed in", "During:", "File ", "- ", "<source"))]
    return (told or said or ["unknown reason"])[0].rstrip(".")[:200]
