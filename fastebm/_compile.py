"""The one door to Numba: its flags, the types of compiled functions, their place on disk.

Two decorators serve the whole library. `compiled(signature)` marks an entry point that Python calls: it is built on
first use, never at import, and its machine code is kept on disk. `inlined` marks a helper that only compiled code
calls. Numba's own disk cache is not used: it keys neither on flags nor on edits in other files, so that stale code
can come back. Here the file's name is a digest of everything that the machine code depends on.
"""

import contextlib
import functools
import hashlib
import inspect
import itertools
import json
import logging
import os
import pickle
import re
import secrets
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import cgutils, errors
from numba.core.bytecode import FunctionIdentity
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps
from numba.extending import intrinsic

from fastebm import _edits, _faults
from fastebm._checks import warn
from fastebm._faults import Refusal
from fastebm._inlining import Inlined, share_environments

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

# The four faces of an energy. `packed` is theta with the energy's data behind it; see `energies`.
ENERGY_SIGNATURE = types.void(TILE, VECTOR, VECTOR)  # (x, packed, e (width,)): e[l] = E(x[:, l])
GRAD_SIGNATURE = types.void(TILE, VECTOR, VECTOR, TILE)  # (x, packed, e, g (dim, width)): E, and g[:, l] = dE/dx
GRAD_THETA_SIGNATURE = types.void(TILE, VECTOR, VECTOR, VECTOR)  # (x, packed, weights, out): out += sum_l w_l dE/dtheta
HVP_SIGNATURE = types.void(TILE, TILE, VECTOR, TILE, TILE)  # (x, v, packed, g, h): dE/dx, and h[:, l] = d2E/dx2 v[:, l]
ENERGY = types.FunctionType(ENERGY_SIGNATURE)
GRAD = types.FunctionType(GRAD_SIGNATURE)
GRAD_THETA = types.FunctionType(GRAD_THETA_SIGNATURE)
HVP = types.FunctionType(HVP_SIGNATURE)

# of functions that only look at arrays of their callers: Numba counts no references to them, an atomic step each
BORROWING: dict[str, Any] = {**FLAGS, "_nrt": False}

inlined: Callable[[Callable[..., Any]], Any] = functools.partial(Inlined, **FLAGS)
inlined_borrowing: Callable[[Callable[..., Any]], Any] = functools.partial(Inlined, **BORROWING)
# of what users write: an index beyond an array's end raises, at no cost where the compiler sees that there is none
inlined_checking_indices: Callable[[Callable[..., Any]], Any] = functools.partial(Inlined, boundscheck=True, **FLAGS)


def function_at(kind: Any) -> Any:
    """The compiled function: an address that `Compiled.address` gave, as a number -> the function there, of this type.

    To hand over the function itself takes a tenth of a millisecond, and a vector of settings could not hold it.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def function(_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
            made = cgutils.create_struct_proxy(kind)(context, builder)
            number = context.cast(builder, arguments[0], face.args[0], types.intp)
            made.jit_addr = builder.inttoptr(number, cgutils.voidptr_t)
            return made._getvalue()

        return kind(address), generate

    return function


energy_at, grad_at, grad_theta_at, hvp_at = (function_at(face) for face in (ENERGY, GRAD, GRAD_THETA, HVP))


def processor_has(feature: str) -> bool:
    """Whether machine code is made for a processor with this feature, by LLVM's name for it."""
    return f"+{feature}" in cpu_target.target_context.codegen()._tm_features.split(",")


class NotThisWay(Exception):
    """A maker cannot make its function; `reason` is None where that is nothing to tell anybody."""

    def __init__(self, reason: str | None, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Way(NamedTuple):
    """A slower way to a compiled function, for a source that the one before does not serve.

    Attributes
    ----------
    make : returns the plain Python function, or raises NotThisWay.
    words : how a warning says what is done instead, and what that costs.
    advice : what to write to have the faster one.
    is_known_right : whether it needs no comparison with known numbers.
    """

    make: Callable[[], Callable[..., Any]]
    words: str
    advice: str
    is_known_right: bool = False


CHAIN_BY_CHAIN = (
    "is computed chain by chain, several times slower",
    "write eb.where(condition, yes, no) for a branch, eb.zeros(n, like=x) for an array of temporaries, or a "
    "loop over indices that do not depend on x",
)


class Compiled:
    """A function with one explicit signature, built on first use and kept on disk.

    Parameters
    ----------
    make : called on first use, returns the plain Python function, or raises NotThisWay.
    signature : its Numba signature.
    key : what, besides the sources of this library, decides the machine code; None for code that is not kept on disk.
    name : how messages call it.
    source : the user's function inside it, if there is one: what cannot be compiled is then the user's to mend.
    slower : other ways, in order.
    told : what users have been warned of, shared by the faces of an energy, so that they warn once.
    is_right : whether a compiled function gives the numbers of the source, as far as these are known.
    derived_from : the function that this one is derived from, whose source is the user's to mend; here every fault
        leads to the next way, not only that many chains at a time are refused.
    text : gives the Python source that it is compiled from.
    borrows : whether it makes no arrays and only looks at those of its caller.
    """

    def __init__(
        self,
        make: Callable[[], Callable[..., Any]],
        signature: Any,
        key: str | None,
        name: str,
        source: Callable[..., Any] | None = None,
        slower: Sequence[Way] = (),
        told: set[str] | None = None,
        is_right: Callable[[Callable[..., Any]], bool] = lambda _: True,
        derived_from: "Compiled | None" = None,
        text: Callable[[], str] | None = None,
        borrows: bool = False,
    ) -> None:
        self.make = make
        self.signature = signature
        self.key = key
        self.name = name
        self.source = source
        self.slower = tuple(slower)
        self.told = set() if told is None else told
        self.is_right = is_right
        self.derived_from = derived_from
        self.text = text or (lambda: textwrap.dedent(inspect.getsource(make())))
        self.borrows = borrows

    @functools.cached_property
    def pointer(self) -> Any:
        """The Numba function: what compiled code takes where it asks for a function."""
        if self.source is None:
            return self._built(self.make)
        try:
            return self._built_somehow(self.source)
        except _faults.EnergyCompileError:
            raise
        except Exception as fault:  # Numba has errors of many kinds, and not all of them are its own
            raise _faults.explain(fault, self.source, self.name) from None

    @functools.cached_property
    def address(self) -> float:
        """Where the machine code is in this process, exact below 2**53; for `function_at`."""
        compiled = self.pointer.get_compile_result(self.signature)
        return float(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))

    @functools.cached_property
    def by_address(self) -> Any:
        """The function for other compiled code of this process, which calls it and takes nothing of it in."""
        there, address = function_at(types.FunctionType(self.signature)), self.address

        @inlined
        def call(*arguments):  # type: ignore[no-untyped-def]
            there(address)(*arguments)

        return call

    def _built_somehow(self, source: Callable[..., Any]) -> Any:
        """By the first way that works; with a warning if that is not the fastest."""
        refusals: list[Refusal] = []
        for place, way in enumerate([Way(self.make, "", ""), *self.slower]):
            kind = f" {way.words}" if place else ""
            refusal = None if self.key is None else self._cache(kind).refusal()
            if refusal is None:
                built, refusal = self._tried(way, kind, source, is_last=place == len(self.slower))
            if refusal is None:
                if refusals and refusals[0].reason:
                    self._tell(way, refusals[0], source)
                return built
            refusals.append(refusal)
        line, words, reason = refusals[-1]
        raise _faults.EnergyCompileError(
            f"{self.name} at {_faults.place(source, line, words)} cannot be had, since "
            f"{reason or 'there is no source'}; "
            "write plain loops and assignments in a file, without hasattr, strings, or integers beyond 64 bits."
        )

    def _tried(
        self, way: Way, kind: str, source: Callable[..., Any], *, is_last: bool
    ) -> tuple[Any, Refusal | None]:
        """What one way gives, or why it gives nothing; what only compiling could tell is kept on disk."""
        try:
            built = self._built(way.make, kind)
        except NotThisWay as fault:
            line = None if fault.line is None else fault.line - source.__code__.co_firstlineno
            return None, Refusal(line, _faults.text_at(source, line), fault.reason or "")
        except errors.NumbaError as fault:
            line = _faults.line_of(fault, source)
            refusal = Refusal(line, _faults.text_at(source, line), _faults.reason(_faults.plain(fault)))
            if is_last or not (self.derived_from or _faults.NEEDS_ONE_CHAIN in refusal.reason):
                raise
        else:
            if way.is_known_right or self.is_right(built):
                return built, None
            refusal = Refusal(None, "", (
                "compiled it gives other numbers than as plain Python" if is_last
                else "something has another meaning in compiled code" if self.derived_from
                else "something has another meaning for many chains at a time than for one"
            ))
        if self.key is not None:
            self._cache(kind).keep(refusal)
        return None, refusal

    def _tell(self, way: Way, refusal: Refusal, source: Callable[..., Any]) -> None:
        if self.derived_from is not None and way.words == CHAIN_BY_CHAIN[0]:
            self.derived_from.pointer  # noqa: B018 (warns of the user's own line, if that is the reason)
        if way.advice in self.told:
            return
        self.told.add(way.advice)
        warn(
            f"{self.name} {way.words}, since at {_faults.place(source, refusal.line, refusal.text)} {refusal.reason}; "
            f"{way.advice}."
        )

    def _cache(self, kind: str = "") -> "_DiskCache":
        return _DiskCache(self.name, f"{self.key} {self.signature}{kind}")

    def _built(self, make: Callable[[], Callable[..., Any]], kind: str = "") -> Any:
        dispatcher = numba.njit(**(BORROWING if self.borrows else FLAGS))(make())
        if self.key is None:
            logger.info("compiling %s", self.name)
        else:
            dispatcher._cache = self._cache(kind)
        dispatcher.compile(self.signature)
        share_environments(dispatcher.get_compile_result(self.signature))
        dispatcher.disable_compile()
        return dispatcher

    def __call__(self, *arguments: Any) -> Any:
        return self.pointer(*arguments)


def compiled(signature: Any, *, borrows: bool = False) -> Callable[[Callable[..., Any]], Compiled]:
    """Mark a module-level function as an entry point with this signature; `borrows` as for `Compiled`."""

    def mark(function: Callable[..., Any]) -> Compiled:
        name = f"{function.__module__}.{function.__qualname__}"
        return Compiled(lambda: function, signature, name, name, borrows=borrows)

    return mark


class _DiskCache:
    """One file per function, in the place of Numba's cache object: `load_overload` and `save_overload` are its face.

    Once the library's files are not those that this process runs, it keeps its machine code to itself, in memory.
    """

    in_memory: ClassVar[dict[Path, bytes]] = {}

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key

    def path(self, codegen: Any, suffix: str = ".bin") -> Path:
        target = repr(codegen.magic_tuple())  # instruction set and CPU features: machine code must not travel
        digest = hashlib.sha256("\n".join((_environment(), target, self.key)).encode()).hexdigest()
        return cache_folder() / f"{re.sub(r'[^A-Za-z0-9_]+', '_', self.name)}-{digest[:32]}{suffix}"

    def load_overload(self, _signature: Any, target_context: Any) -> Any:
        target_context.refresh()
        code = self._read(self.path(target_context.codegen()))
        if code is not None:
            return CompileResult._rebuild(target_context, *pickle.loads(code))
        logger.info("compiling %s", self.name)
        return None

    def save_overload(self, _signature: Any, result: Any) -> None:
        if result.library.has_dynamic_globals:
            return  # the address of a large array or of a foreign function means nothing to another process
        self._write(self.path(result.codegen), dumps(result._reduce()))

    def refusal(self) -> Refusal | None:
        """What `keep` kept: that there is no machine code, and why."""
        content = self._read(self.path(cpu_target.target_context.codegen(), ".refused"))
        return None if content is None else Refusal(*json.loads(content))

    def keep(self, refusal: Refusal) -> None:
        self._write(self.path(cpu_target.target_context.codegen(), ".refused"), json.dumps(refusal).encode())

    @classmethod
    def _read(cls, path: Path) -> bytes | None:
        """The content of a file of this cache; None if there is none, or not whole."""
        if _edits.have_happened():  # asked after the path is made: until here, its digest was of what runs
            return cls.in_memory.get(path)
        try:
            payload = path.read_bytes()
        except OSError:
            return None
        digest, content = payload[:32], payload[32:]
        return content if hashlib.sha256(content).digest() == digest else None

    @classmethod
    def _write(cls, path: Path, content: bytes) -> None:
        if _edits.have_happened():
            cls.in_memory[path] = content
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(content).digest() + content)
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
    for path in _edits.sources():
        sources.update(path.relative_to(_edits.FOLDER).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = [module.__version__ for module in (numba, llvmlite, np)]  # of what runs, not of what is installed now
    flags = sorted((name, sorted(value) if isinstance(value, set) else value) for name, value in FLAGS.items())
    return repr((sys.version, versions, flags, sources.hexdigest()))


@functools.cache
def _warn_once(message: str) -> None:
    warn(message)


@contextlib.contextmanager
def explained_index_errors(code: Compiled) -> Iterator[None]:
    """Compiled code says that some index is beyond some array's end; this says in which energy."""
    try:
        yield
    except IndexError:
        place = "" if code.source is None else f" at {_faults.place(code.source, None)}"
        raise IndexError(
            f"{code.name}{place} reads an array beyond its end; check the indices that it makes of x, theta or data."
        ) from None
