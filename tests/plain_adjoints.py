"""An adjoint as plain Python: its text run on doubles, and on dual numbers of two of them, without being compiled."""

import math
import types

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm.adjoint.functions import adjoint_of
from fastebm.energies import closures, sources
from fastebm.lanes import language
from fastebm.lanes.primitives import BINARY, UNARY, function_of


class Dual:
    """A value and its derivative along one direction."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, value, slope=0.0):
        self.value, self.slope = np.float64(value), np.float64(slope)

    def __add__(self, other):
        b = dual(other)
        return Dual(self.value + b.value, self.slope + b.slope)

    def __sub__(self, other):
        return self + -dual(other)

    def __rsub__(self, other):
        return dual(other) + -self

    def __mul__(self, other):
        b = dual(other)
        return Dual(self.value * b.value, self.slope * b.value + self.value * b.slope)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other):
        b = dual(other)
        return Dual(self.value / b.value, (self.slope - self.value / b.value * b.slope) / b.value)

    def __rtruediv__(self, other):
        return dual(other) / self

    def __pow__(self, other):
        b = dual(other)
        value = self.value**b.value
        slope = 0.0
        if self.slope and b.value:
            slope += b.value * self.value ** (b.value - 1.0) * self.slope
        if b.slope:
            slope += value * np.log(self.value) * b.slope
        return Dual(value, slope)

    def __rpow__(self, other):
        return dual(other) ** self

    def __mod__(self, other):
        b = dual(other)
        return Dual(self.value % b.value, self.slope - self.value // b.value * b.slope)

    def __floordiv__(self, other):
        return Dual(self.value // dual(other).value)

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __lt__(self, other):
        return self.value < dual(other).value

    def __le__(self, other):
        return self.value <= dual(other).value

    def __gt__(self, other):
        return self.value > dual(other).value

    def __ge__(self, other):
        return self.value >= dual(other).value

    def __eq__(self, other):
        return self.value == dual(other).value

    def __ne__(self, other):
        return self.value != dual(other).value

    def __bool__(self):
        return bool(self.value)


def dual(number):
    return number if isinstance(number, Dual) else Dual(number)


def _as_in_compiled_code(function, *numbers):
    """A double, also where Python raises."""
    try:
        return np.float64(function(*numbers))
    except OverflowError:
        return np.float64(math.inf)
    except ValueError:
        return np.float64(math.nan)


def on_floats(function, _name):
    return lambda *numbers: _as_in_compiled_code(function, *numbers)


def on_duals(function, name):
    """The table's rule."""
    texts = [BINARY[name].first, BINARY[name].second] if name in BINARY else [
        "trigamma(x)" if name == "digamma" else UNARY[name].derivative
    ]
    arguments = ("a", "b", "y") if name in BINARY else ("x", "y")
    derivatives = [as_run(function_of(text, *arguments), on_floats) for text in texts]

    def rule(*numbers):
        duals = [dual(one) for one in numbers]
        values = [one.value for one in duals]
        y = _as_in_compiled_code(function, *values)
        slopes = [derivative(*values, y) * one.slope for derivative, one in zip(derivatives, duals, strict=True)]
        return Dual(y, sum(slopes))

    return rule


def as_run(function, kind):
    """A function with its words of another kind."""
    meanings = {id(one): kind(one, name) for name, entry in (UNARY | BINARY).items() for one in entry.callables}
    if kind is on_duals:
        meanings[id(language.digamma)] = kind(language.digamma, "digamma")
        meanings[id(language.zeros)] = lambda n, like: np.array([Dual(0.0) for _ in range(n)], dtype=object)
        meanings[id(language.vanishes)] = lambda x: dual(x).value == 0.0 and dual(x).slope == 0.0

    def own(value):
        if isinstance(value, Dispatcher):
            return own(value.py_func)
        if id(value) in meanings:
            return meanings[id(value)]
        if isinstance(value, types.FunctionType) and not value.__module__.endswith("lanes.language"):
            return as_run(value, kind)
        return value

    used = function.__code__.co_names
    scope = {name: own(value) for name, value in function.__globals__.items() if name in used}
    return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)


class PlainAdjoint:
    """The adjoints of an energy's source, E(x, theta)."""

    def __init__(self, function, theta, dim):
        frozen = sources.freeze(function)
        data = closures.lifted([frozen])[1]
        shapes = {name: np.shape(value) for name, value in theta._asdict().items()}
        self.theta, self.dim = theta, dim
        self.data = types.SimpleNamespace(**data.arrays)
        self.adjoints = {wrt: adjoint_of(frozen, wrt, dim, shapes, data.arrays, {}) for wrt in ("x", "theta")}
        self.on_floats = {wrt: as_run(one.function, on_floats) for wrt, one in self.adjoints.items()}
        self.on_duals = as_run(self.adjoints["x"].function, on_duals)

    def grad(self, x):
        """E and dE/dx."""
        bar = np.zeros(self.dim)
        energy = self.on_floats["x"](x, self.theta, self.data, bar, np.float64(1.0))
        return float(energy), bar

    def grad_theta(self, x):
        rows = [np.zeros(np.size(value)) for value in self.theta]
        self.on_floats["theta"](x, self.theta, self.data, type(self.theta)(*rows), np.float64(1.0))
        return np.concatenate(rows)

    def hvp(self, x, v):
        bar = np.array([Dual(0.0) for _ in x], dtype=object)
        point = np.array([Dual(one, slope) for one, slope in zip(x, v, strict=True)], dtype=object)
        self.on_duals(point, self.theta, self.data, bar, np.float64(1.0))
        return np.array([dual(one).slope for one in bar])

    def laplacian(self, x):
        return sum(self.hvp(x, one)[k] for k, one in enumerate(np.eye(self.dim)))


def energy_and_grad(function):
    """E and dE/dx of a function of three coordinates, by its adjoint as plain Python."""
    frozen = sources.freeze(function)
    data = closures.lifted([frozen])[1]
    adjoint = adjoint_of(frozen, "x", 3, None, data.arrays, {})
    run = as_run(adjoint.function, on_floats)

    def grad(x):
        bar = np.zeros(3)
        energy = run(x, None, types.SimpleNamespace(**data.arrays), bar, np.float64(1.0))
        return energy, bar

    return grad


def differences(function, x):
    """dE/dx by differences of plain Python, six times as many digits as needed here."""
    found = []
    for axis in np.eye(len(x)):
        step = 1e-4
        ends = [function(x + k * step * axis) for k in (-2, -1, 1, 2)]
        found.append((ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step))
    return np.array(found)
