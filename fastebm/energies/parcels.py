"""Energies on their way to another process: descriptions of the catalogue, and a user's source with its data.

A pickled energy holds no bytecode. A user's function travels as the text of its definition, with the numbers, arrays
and helpers it refers to, and is compiled where it arrives, or read from the disk cache there.
"""

import ast
import functools
import hashlib
import importlib
import linecache
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm.adjoint.syntax import NoSource, definition
from fastebm.energies import descriptions, sources
from fastebm.energies.algebra import Combined
from fastebm.energies.energy import Energy
from fastebm.energies.functions import FunctionEnergy


class FunctionText(NamedTuple):
    """A function: the text of its definition, with the names it refers to and what they stand for, packed."""

    name: str
    text: str
    defaults: tuple[Any, ...]
    enclosing: dict[str, Any]
    names: dict[str, Any]


class Known(NamedTuple):
    """What was packed already: functions may call each other."""

    place: int


class Module(NamedTuple):
    """A module by its name; with `words`, only these of it."""

    name: str
    words: dict[str, Any] | None


class Word(NamedTuple):
    """One of the words that this library lends to energies."""

    name: str


def packed(energy: Energy) -> tuple[Callable[..., Energy], tuple[Any, ...]]:
    """What `pickle` needs of an energy: a function that makes it anew, and its arguments."""
    return unpacked, (pickle.dumps(_tree(energy)), energy.theta.copy(), energy.first_theta.copy())


def unpacked(tree: bytes, theta: Any, first_theta: Any) -> Energy:
    """The energy that `packed` packed."""
    first_theta.setflags(write=False)
    made = _made(tree)
    if not np.array_equal(made.theta, theta):
        made = made.with_theta(theta)
    return made if np.array_equal(made.first_theta, first_theta) else made._replaced(first_theta=first_theta)


@functools.lru_cache(maxsize=8)
def _made(tree: bytes) -> Energy:
    """A worker is sent the same energy again and again, and need not load its code every time."""
    return _grown(pickle.loads(tree))


def _tree(energy: Energy) -> Any:
    if isinstance(energy, FunctionEnergy):
        packing = _Packing()
        functions = {key: packing.function(one) for key, one in energy.written.items()}
        return "function", functions, energy.dim, energy.named_theta, energy.walls, energy.source
    if isinstance(energy, Combined):
        return "combined", energy.kind, [_tree(part) for part in energy.parts], energy.settings()
    return "catalogue", energy.describe()


def _grown(tree: Any) -> Energy:
    kind, *rest = tree
    if kind == "catalogue":
        return descriptions.build(rest[0])
    if kind == "combined":
        name, parts, settings = rest
        return descriptions.COMBINATIONS[name].rebuilt([_grown(part) for part in parts], settings)
    texts, dim, theta, walls, source = rest
    unpacking = _Unpacking()
    functions = {key: unpacking.function(one) for key, one in texts.items()}
    function = functions.pop("energy")
    made = FunctionEnergy(function, dim, theta, walls, functions.get("grad"), functions.get("grad_theta"))
    made.source = source
    return made


class _Packing:
    """Functions of one energy, each once."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}

    def function(self, function: Any) -> Any:
        """A frozen function."""
        if id(function) in self.places:
            return Known(self.places[id(function)])
        self.places[id(function)] = len(self.places)
        code = function.__code__
        try:
            node = definition(code)
        except NoSource:
            raise TypeError(
                f"{function.__name__} cannot travel to another process, since its source is not to be had; define it "
                "in a file."
            ) from None
        arguments = node.args
        arguments.defaults = []
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            argument.annotation = None  # whose names need not be there
        header = ast.FunctionDef(node.name, arguments, list(node.body), decorator_list=[], returns=None)
        if sys.version_info >= (3, 12):
            header.type_params = []
        text = ast.unparse(ast.fix_missing_locations(header))
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        return FunctionText(
            function.__name__, text, function.__defaults__ or (),
            {name: self.value(cell.cell_contents) for name, cell in cells},
            {name: self.value(value) for name, value in sources.globals_of(function)},
        )

    def value(self, value: Any) -> Any:
        if isinstance(value, Dispatcher):
            return self.function(value.py_func)
        if isinstance(value, types.FunctionType):
            return Word(value.__name__) if value in sources.WORDS else self.function(value)
        if isinstance(value, sources.FrozenModule):
            words = {word: one for word, one in vars(value).items() if not word.startswith("__")}
            return Module(value.__name__, {word: self.value(one) for word, one in words.items()})
        if isinstance(value, types.ModuleType):
            return Module(value.__name__, None)
        return value


class _Unpacking:
    """The functions again, with the same sharing."""

    def __init__(self) -> None:
        self.functions: list[Any] = []

    def function(self, packed: FunctionText) -> Any:
        arguments = ", ".join(packed.enclosing)
        inner = "\n".join(f"    {line}" for line in packed.text.splitlines())
        text = f"def made_({arguments}):\n{inner}\n    return {_name_of(packed.text)}\n"
        # a name that the text decides, so that `inspect` finds the source and every process calls it the same
        filename = f"<energy {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        namespace: dict[str, Any] = {}
        exec(compile(text, filename, "exec"), namespace)
        place = len(self.functions)
        self.functions.append(None)
        made = namespace.pop("made_")
        cells = [types.CellType() for _ in packed.enclosing]
        inner_code = next(one for one in made.__code__.co_consts if isinstance(one, types.CodeType))
        order = [[*packed.enclosing].index(name) for name in inner_code.co_freevars]
        function = types.FunctionType(
            inner_code, namespace, packed.name, packed.defaults or None, tuple(cells[one] for one in order)
        )
        function.__module__ = __name__
        self.functions[place] = function
        for cell, value in zip(cells, packed.enclosing.values(), strict=True):
            cell.cell_contents = self.value(value)
        namespace.update({name: self.value(value) for name, value in packed.names.items()})
        return function

    def value(self, value: Any) -> Any:
        if isinstance(value, Known):
            return self.functions[value.place]
        if isinstance(value, FunctionText):
            return self.function(value)
        if isinstance(value, Word):
            return next(one for one in sources.WORDS if one.__name__ == value.name)
        if isinstance(value, Module):
            if value.words is None:
                return importlib.import_module(value.name)
            module = types.ModuleType(value.name)
            vars(module).update({word: self.value(one) for word, one in value.words.items()})
            return module
        return value


def _name_of(text: str) -> str:
    statement = ast.parse(text).body[0]
    assert isinstance(statement, ast.FunctionDef)
    return statement.name
