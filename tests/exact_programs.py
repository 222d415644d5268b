"""A program in 80 digits: its derivatives by differences, and how much rounding may change them.

No rule of differentiation is used. How far rounding can move a derivative is seen by moving the result of every
operation, and what is added, by a part in 10^15, at random and in the same way at all points: what the derivative moves
by, times 10^15, is a sum over all that is rounded of the terms that it touches, with random factors between -1 and 1.
"""

import math
import random
from dataclasses import dataclass

import mpmath
import numpy as np

import fastebm as eb
from fastebm.lanes.primitives import BINARY, UNARY

DIGITS = 80
STEP = mpmath.mpf(10) ** -24
MOVE = mpmath.mpf(10) ** -15
TOO_CLOSE = 1e-9
TOO_LARGE = 1e100
N_MOVES = 3


class UnsettledError(Exception):
    """The point is too near a jump or a kink for rounded numbers, or values leave the range of doubles."""


class Machine:
    """What operations do beside computing: remember choices and sizes once, and then repeat and move them."""

    def __init__(self):
        self.choices, self.sizes = [], []
        self.is_first = True
        self.restart(None)

    def restart(self, factors):
        self.factors = factors
        self.n_choices = self.n_results = 0

    def made(self, value):
        """The result of an operation."""
        k = self.n_results
        self.n_results += 1
        if self.is_first:
            if not abs(value) < TOO_LARGE:
                raise UnsettledError
            self.sizes.append(abs(value))
        elif self.factors is not None:
            factor, term = self.factors(k)
            value += MOVE * (factor * value + term * self.sizes[k])
        return Exact(self, value)

    def chosen(self, choose, distance, size):
        """What is chosen where rounding cannot have a say: that of the first time."""
        if self.is_first:
            if distance != 0 and abs(distance) <= TOO_CLOSE * (1 + abs(size)):
                raise UnsettledError
            self.choices.append(choose())
        self.n_choices += 1
        return self.choices[self.n_choices - 1]


def _binary(operation, used=lambda _machine, number: _value(number)):
    return (
        lambda a, b: a.machine.made(operation(used(a.machine, a), used(a.machine, b))),
        lambda b, a: b.machine.made(operation(used(b.machine, a), used(b.machine, b))),
    )


def _sum(operation):
    """Moved before they are added too, each for itself: of x - x, which is 0, nothing else could be moved."""

    def moved(machine, number):
        return machine.made(number.value).value if isinstance(number, Exact) else _value(number)

    return _binary(operation, moved)


def _comparison(relation):
    def compared(a, b):
        b = _value(b)
        return a.machine.chosen(lambda: bool(relation(a.value, b)), a.value - b, a.value)

    return compared


class Exact:
    """A number of 80 digits."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, machine, value):
        self.machine = machine
        self.value = value

    __add__, __radd__ = _sum(lambda a, b: a + b)
    __sub__, __rsub__ = _sum(lambda a, b: a - b)
    __mul__, __rmul__ = _binary(lambda a, b: a * b)
    __truediv__, __rtruediv__ = _binary(lambda a, b: a / b)
    __pow__, __rpow__ = _binary(lambda a, b: a**b)
    __lt__ = _comparison(lambda a, b: a < b)
    __le__ = _comparison(lambda a, b: a <= b)
    __gt__ = _comparison(lambda a, b: a > b)
    __ge__ = _comparison(lambda a, b: a >= b)
    __eq__ = _comparison(lambda a, b: a == b)
    __ne__ = _comparison(lambda a, b: a != b)

    def __neg__(self):
        return Exact(self.machine, -self.value)

    def __abs__(self):
        return self.machine.made(_sign(self) * self.value)

    def __floordiv__(self, other):
        return Exact(self.machine, _whole(self, self.value / _value(other), mpmath.floor))

    def __mod__(self, other):
        return self - (self // other) * other


def _value(number):
    return number.value if isinstance(number, Exact) else mpmath.mpf(float(number))


def _sign(a):
    return a.machine.chosen(lambda: mpmath.sign(a.value), a.value, 0)


def _sure_sign(a):
    """Of a number that is not zero, whose sign a double may have too."""
    if a.value == 0:
        raise UnsettledError
    return _sign(a)


def _whole(a, value, rounded):
    return a.machine.chosen(lambda: rounded(value), value - mpmath.nint(value), value)


def _first(relation):
    def extreme(*numbers):
        best = numbers[0]
        for other in numbers[1:]:
            exact = best if isinstance(best, Exact) else other
            a, b = _value(best), _value(other)
            is_first = exact.machine.chosen(lambda a=a, b=b: relation(a, b), a - b, a) if (
                isinstance(exact, Exact)
            ) else relation(a, b)
            best = best if is_first else other
        return best

    return extreme


FORMULAS = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "exp2": lambda x: mpmath.mpf(2) ** x, "log": mpmath.log,
    "log1p": mpmath.log1p, "log2": lambda x: mpmath.log(x, 2), "log10": mpmath.log10, "sqrt": mpmath.sqrt,
    "square": lambda x: x * x, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "asin": mpmath.asin,
    "acos": mpmath.acos, "atan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf, "erfc": mpmath.erfc, "lgamma": mpmath.loggamma, "atan2": mpmath.atan2, "hypot": mpmath.hypot,
    "logaddexp": lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)), "pow": lambda a, b: a**b,
}
PIECEWISE = {
    "abs": abs, "max": _first(lambda a, b: a >= b), "min": _first(lambda a, b: a <= b),
    "maximum": _first(lambda a, b: a >= b), "minimum": _first(lambda a, b: a <= b),
    "sign": lambda a: Exact(a.machine, _sign(a)) if isinstance(a, Exact) else float(np.sign(a)),
    "floor": lambda a: Exact(a.machine, _whole(a, a.value, mpmath.floor)) if isinstance(a, Exact) else math.floor(a),
    "ceil": lambda a: Exact(a.machine, _whole(a, a.value, mpmath.ceil)) if isinstance(a, Exact) else math.ceil(a),
    "float": lambda a: a,
    "where": lambda condition, yes, no: yes if condition else no,
}


class Words:
    """A module's functions on exact numbers."""

    def __init__(self, machine, module):
        self.machine = machine
        self.module = module

    def __getattr__(self, word):
        return meaning(self.machine, getattr(self.module, word), word)


def meaning(machine, function, word):
    """A function of a program's, on exact numbers."""
    names = [name for name, entry in (UNARY | BINARY).items() if function in entry.callables] or [
        {"power": "pow"}.get(word, word)
    ]
    if names[0] in FORMULAS:
        formula = FORMULAS[names[0]]
        return lambda *numbers: machine.made(formula(*map(_value, numbers)))
    if names[0] == "copysign":
        def copysign(a, b):
            signs = [_sure_sign(one if isinstance(one, Exact) else Exact(machine, _value(one))) for one in (a, b)]
            return machine.made(signs[0] * signs[1] * _value(a))

        return copysign
    if word == "zeros":
        return lambda n, like: np.array([Exact(machine, mpmath.mpf(0)) for _ in range(n)], dtype=object)
    return PIECEWISE[names[0]]


@dataclass(frozen=True)
class Derivative:
    """Numbers, and the size of the terms that they are sums of."""

    values: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Derivatives:
    """Of a program at a point: E, dE/dx (dim,), dE/dtheta (n_params,), d2E/dx2 v (dim,) and the trace of d2E/dx2."""

    energy: Derivative
    grad: Derivative
    grad_theta: Derivative
    hvp: Derivative
    laplacian: Derivative


class ExactProgram:
    """A program that is run in 80 digits near one point."""

    def __init__(self, program, theta):
        self.machine = Machine()
        words = {"math": Words(self.machine, math), "np": Words(self.machine, np), "eb": Words(self.machine, eb)}
        words |= {name: meaning(self.machine, getattr(math, name, None) or __builtins__[name], name)
                  for name in ("max", "min", "float")}
        self.function = program.function(**words)
        self.theta = theta

    def at(self, numbers, dim, factors):
        self.machine.restart(factors)
        parts, start = [], dim
        exact = np.array([Exact(self.machine, one) for one in numbers] + [None], dtype=object)
        for value in self.theta:
            stop = start + np.size(value)
            parts.append(exact[start:stop].reshape(np.shape(value)) if np.ndim(value) else exact[start])
            start = stop
        found = _value(self.function(exact[:dim], type(self.theta)(*parts)))
        self.machine.is_first = False
        return found

    def derivatives(self, x, v):
        """All derivatives, or UnsettledError."""
        dim = len(x)
        here = [mpmath.mpf(float(one)) for one in np.concatenate([x, *(np.ravel(part) for part in self.theta)])]
        v = [mpmath.mpf(float(one)) for one in v]

        def moved(steps):
            return [one + STEP * steps.get(k, 0) for k, one in enumerate(here)]

        def every(factors):
            sides = [
                [self.at(moved({k: side}), dim, factors) for side in (1, -1)] for k in range(len(here))
            ]
            value = self.at(here, dim, factors)
            slopes = [(above - below) / (2 * STEP) for above, below in sides]
            trace = sum(above - 2 * value + below for above, below in sides[:dim]) / STEP**2
            products = []
            for k in range(dim):
                corners = [
                    one * other * self.at(moved({j: other * v[j] + one * (j == k) for j in range(dim)}), dim, factors)
                    for one in (1, -1) for other in (1, -1)
                ]
                products.append(sum(corners) / (4 * STEP**2))
            return [[value], slopes[:dim], slopes[dim:], products, [trace]]

        with mpmath.workdps(DIGITS):
            self.at(here, dim, None)  # the choices are made here
            exact = every(None)
            moves = [every(_factors(k)) for k in range(N_MOVES)]
            found = []
            for face, wanted in enumerate(exact):
                sizes = [
                    max([abs(one), *(abs(move[face][k] - one) / MOVE for move in moves)])
                    for k, one in enumerate(wanted)
                ]
                found.append(Derivative(np.array(wanted, dtype=float), np.array(sizes, dtype=float)))
        return Derivatives(*found)


def _factors(seed):
    """Two random factors for each operation, the same whenever it is run; no two are alike, lest x - x stand still."""
    generator, drawn = random.Random(seed), []

    def factors(k):
        while len(drawn) <= k:
            drawn.append((generator.uniform(-1.0, 1.0), generator.uniform(-1.0, 1.0)))
        return drawn[k]

    return factors
