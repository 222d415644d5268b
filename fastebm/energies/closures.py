"""Arrays that a user's functions close over become an argument, so that new numbers in them compile nothing.

Compiled code would bake arrays in. Instead every function that needs some of them, itself or through helpers, is
rewritten to take them as its last argument: `scale[i]` turns into `data_.scale_0[i]`, and `helper(a)` into
`helper(a, data_=data_)`. Where no source can be read, or an array is used in a way that this cannot follow, functions
stay as they are and the arrays are part of the machine code, which is right too but compiled again for new numbers.
"""

import ast
import re
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm._checks import FloatArray
from fastebm._compile import inlined_checking_indices
from fastebm.adjoint.syntax import NoSource, definition

_ARGUMENT = "data_"
_OWN_NAMES = re.compile(r"data_|helper_\d+_")


class _CannotFollow(Exception):
    """The source is not there, or does with an array what rewriting cannot express."""


@dataclass(frozen=True)
class Data:
    """Arrays by name.

    Attributes
    ----------
    arrays : float64 or int64, in the order in which they are packed.
    """

    arrays: dict[str, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape of each: what machine code depends on."""
        return {name: (array.dtype.name, array.shape) for name, array in self.arrays.items()}

    def packed(self) -> FloatArray:
        """One vector of 64-bit numbers; integers by their bits."""
        return np.concatenate([np.zeros(0), *(array.ravel().view(np.float64) for array in self.arrays.values())])


def lifted(functions: Sequence[Callable[..., Any]]) -> tuple[list[Any], Data]:
    """Frozen functions that take their arrays as a last argument `data_`, and the arrays; as they are without any."""
    try:
        lifting = _Lifting()
        results = [lifting.rewritten(function) for function in functions]
    except (_CannotFollow, NoSource):
        return list(functions), Data()
    if not lifting.names:
        return list(functions), Data()
    return results, Data(dict(zip(lifting.names, lifting.arrays, strict=True)))


class _Lifting:
    """The rewriting of functions that share arrays and helpers."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.arrays: list[Any] = []
        self.done: dict[int, Any] = {}

    def needs(self, function: Any, seen: set[int] | None = None) -> bool:
        """Whether a frozen function uses arrays, itself or through helpers."""
        seen = set() if seen is None else seen
        if id(function) in seen:
            return False
        seen.add(id(function))
        return any(
            _is_array(value) or (_is_helper(value) and self.needs(value.py_func, seen))
            for value in _values(function)
        )

    def rewritten(self, function: Any, *, always: bool = True) -> Any:
        """The function with one more argument; helpers that need no arrays stay as they are."""
        if id(function) in self.done:
            return self.done[id(function)]
        if not always and not self.needs(function):
            return function
        namespace = dict(function.__globals__)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        namespace.update({name: cell.cell_contents for name, cell in cells})
        node = definition(function.__code__)
        parts = [part for statement in node.body for part in ast.walk(statement)] + list(ast.walk(node.args))
        bound = {one.arg for one in parts if isinstance(one, ast.arg)} | {
            one.id for one in parts if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)
        }
        if any(map(_OWN_NAMES.fullmatch, {*bound, *(one.id for one in parts if isinstance(one, ast.Name))})):
            raise _CannotFollow  # the user has these names too
        rewriter = _Rewriter(self, namespace, bound)
        body = [rewriter.visit(statement) for statement in node.body]
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
            raise _CannotFollow
        for argument in [*node.args.posonlyargs, *node.args.args]:
            argument.annotation = None  # whose names need not be here
        node.args.args.append(ast.arg(_ARGUMENT))
        node.args.defaults = []
        module = ast.parse(f"def {node.name}(): pass")
        header = module.body[0]
        assert isinstance(header, ast.FunctionDef)
        header.args, header.body = node.args, body
        ast.fix_missing_locations(module)
        exec(compile(module, function.__code__.co_filename, "exec"), namespace)
        twin = namespace[node.name]
        twin.__defaults__ = (*function.__defaults__, None) if function.__defaults__ else None
        twin.__module__, twin.__name__ = function.__module__, function.__name__
        twin.__qualname__ = function.__qualname__
        self.done[id(function)] = twin
        for name, helper in rewriter.helpers.items():
            namespace[name] = inlined_checking_indices(self.rewritten(helper))
        return twin

    def place(self, array: Any, name: str) -> str:
        """The name of the field that holds an array."""
        for known, other in zip(self.names, self.arrays, strict=True):
            if other is array:
                return known
        self.names.append(f"{name}_{len(self.names)}")
        self.arrays.append(array)
        return self.names[-1]


class _Rewriter(ast.NodeTransformer):
    """Uses of arrays become fields of the last argument; calls of helpers that need arrays hand it on."""

    def __init__(self, lifting: _Lifting, namespace: dict[str, Any], bound: set[str]) -> None:
        self.lifting, self.namespace, self.bound = lifting, namespace, bound
        self.helpers: dict[str, Any] = {}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._reference(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        replaced = self._reference(node)
        return self.generic_visit(node) if replaced is node else replaced

    def visit_Call(self, node: ast.Call) -> ast.AST:
        helper = self._value(node.func)
        if not (_is_helper(helper) and self.lifting.needs(helper.py_func)):
            return self.generic_visit(node)
        name = f"helper_{len(self.helpers)}_"
        self.helpers[name] = helper.py_func
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [self.visit(keyword) for keyword in node.keywords]
        handed = ast.keyword(_ARGUMENT, ast.Name(_ARGUMENT, ast.Load()))
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, [*keywords, handed]), node)

    def _reference(self, node: ast.Name | ast.Attribute) -> ast.AST:
        value = self._value(node)
        if _is_array(value):
            name = node.id if isinstance(node, ast.Name) else node.attr
            field_name = self.lifting.place(value, name.strip("_") or "array")
            return ast.copy_location(ast.Attribute(ast.Name(_ARGUMENT, ast.Load()), field_name, ast.Load()), node)
        if _is_helper(value) and self.lifting.needs(value.py_func):
            raise _CannotFollow  # a helper that is handed on, not called
        return node

    def _value(self, node: ast.AST) -> Any:
        """What a name, or an attribute of a module, stands for."""
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and node.id in self.namespace:
                value = self.namespace[node.id]
                if node.id in self.bound and (_is_array(value) or _is_helper(value)):
                    raise _CannotFollow  # the name means different things in different scopes
                return None if node.id in self.bound else value
            return None
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None
        return None


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype in (np.float64, np.int64)


def _is_helper(value: Any) -> bool:
    return isinstance(value, Dispatcher) and isinstance(value.py_func, types.FunctionType)


def _values(function: types.FunctionType) -> Iterator[Any]:
    """What a frozen function refers to, modules of the user's included."""
    stack = [*function.__globals__.values(), *(cell.cell_contents for cell in function.__closure__ or ())]
    for value in stack:
        if type(value).__name__ == "FrozenModule":
            yield from (one for name, one in vars(value).items() if not name.startswith("__"))
        else:
            yield value
