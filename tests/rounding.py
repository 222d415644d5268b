"""How far rounding can move the result of a plain function: numbers that carry a bound of their error along.

The bound holds for any order of rounding that leaves the operations as they stand: products and sums fused or not,
elementary functions good to 2 units in the last place, `pow` to 4. So it is what a compiled function may differ by, and
no tolerance has to be guessed.

References
----------
N. J. Higham (2002), Accuracy and Stability of Numerical Algorithms, section 3.3 (running error analysis).
"""

import math
import operator
import types

import numpy as np

EPS = np.finfo(float).eps
TINY = 5e-324  # what is lost below the normal numbers


class UnsettledError(Exception):
    """Rounding decides a comparison, so that nothing can be said about what follows."""


class Rounded:
    """A double, and a bound of its distance from the exact result; infinite where nothing is known."""

    __array_ufunc__ = None  # NumPy's scalars leave the operation to this class

    def __init__(self, value, error=0.0):
        self.value = np.float64(value)
        self.error = float(error) if np.isfinite(self.value) or error == 0.0 else math.inf

    def is_settled(self):
        """Whether the sign and the kind (zero, finite, infinite, nan) are certain."""
        return self.error == 0.0 or self.error < abs(self.value)

    def plus(self, other, sign):
        a, b = self, number(other)
        value = a.value + sign * b.value
        return result(value, a.error + b.error + 0.5 * EPS * abs(value), a, b)

    def __add__(self, other):
        return self.plus(other, 1.0)

    def __radd__(self, other):
        return number(other).plus(self, 1.0)

    def __sub__(self, other):
        return self.plus(other, -1.0)

    def __rsub__(self, other):
        return number(other).plus(self, -1.0)

    def __mul__(self, other):
        a, b = self, number(other)
        value = a.value * b.value
        spread = abs(a.value) * b.error + abs(b.value) * a.error + a.error * b.error
        return result(value, spread + 0.5 * EPS * abs(value) + TINY, a, b, needs_signs=True)

    __rmul__ = __mul__

    def __truediv__(self, other):
        a, b = self, number(other)
        value = a.value / b.value
        least = abs(b.value) - b.error
        spread = (a.error + abs(value) * b.error) / least if b.error else a.error / abs(b.value)
        return result(value, spread + 0.5 * EPS * abs(value) + TINY, a, b, needs_signs=True)

    def __rtruediv__(self, other):
        return number(other) / self

    def __mod__(self, other):
        return remainder(self, number(other))

    def __rmod__(self, other):
        return remainder(number(other), self)

    def __floordiv__(self, other):
        b = number(other)
        remainder(self, b)  # unsettled near a jump
        value = self.value // b.value
        return result(value, EPS * abs(value), self, b)

    def __pow__(self, other):
        b = number(other)
        is_product = b.error == 0.0 and b.value == np.rint(b.value) and abs(b.value) <= 8.0
        return function(operator.pow, max(4.0, abs(b.value)) if is_product else 4.0)(self, b)

    def __rpow__(self, other):
        return number(other) ** self

    def __neg__(self):
        return Rounded(-self.value, self.error)

    def __pos__(self):
        return self

    def __abs__(self):
        return Rounded(abs(self.value), self.error)

    def compared(self, relation, other):
        b = number(other)
        margin = self.error + b.error
        if margin and not abs(self.value - b.value) > margin:
            raise UnsettledError
        return relation(self.value, b.value)

    def __lt__(self, other):
        return self.compared(operator.lt, other)

    def __le__(self, other):
        return self.compared(operator.le, other)

    def __gt__(self, other):
        return self.compared(operator.gt, other)

    def __ge__(self, other):
        return self.compared(operator.ge, other)

    def __eq__(self, other):
        return self.compared(operator.eq, other)

    def __ne__(self, other):
        return self.compared(operator.ne, other)

    __hash__ = None


def number(value):
    return value if isinstance(value, Rounded) else Rounded(value)


def result(value, error, *operands, needs_signs=False):
    """Infinities and nan that come of infinities and nan are certain, those that come of overflow are not."""
    if all(np.isfinite(one.value) for one in operands):
        return Rounded(value, error if np.isfinite(value) and np.isfinite(error) else math.inf)
    is_certain = all(one.is_settled() if needs_signs else one.error < math.inf for one in operands)
    return Rounded(value, 0.0 if is_certain else math.inf)


def remainder(a, b):
    value = a.value % b.value
    margin = a.error + abs(a.value // b.value) * b.error
    if margin and not margin < min(abs(value), abs(b.value - value)):
        raise UnsettledError
    return result(value, margin + EPS * abs(value), a, b)


def function(plain, ulps=2.0):
    """A function of numbers: its values where the arguments might be as well, and what it rounds itself."""
    def on_rounded(*arguments):
        arguments = [number(one) for one in arguments]
        values = [one.value for one in arguments]
        value = np.float64(plain(*values))
        error = ulps * EPS * abs(value) + TINY
        for k, one in enumerate(arguments):
            if one.error:
                moved = [plain(*values[:k], one.value + move, *values[k + 1 :]) for move in (-one.error, one.error)]
                error += 1.01 * max(abs(np.float64(other) - value) for other in moved)
        return result(value, error, *arguments)

    return on_rounded


def extreme(relation, *, nan_spreads=False):
    """max or min; NumPy's give nan where either argument is."""
    def on_rounded(*arguments):
        best = number(arguments[0])
        for other in map(number, arguments[1:]):
            if nan_spreads and (np.isnan(best.value) or np.isnan(other.value)):
                best = best if np.isnan(best.value) else other
                continue
            margin = best.error + other.error
            is_tie = margin and not abs(best.value - other.value) > margin
            best = (
                Rounded(max(best.value, other.value), margin) if is_tie
                else other if relation(other.value, best.value) else best
            )
        return best

    return on_rounded


def zeros(n, like):
    return row([0.0] * n)


def row(values):
    """An array that holds any objects."""
    numbers = np.empty(len(values), dtype=object)
    numbers[:] = [Rounded(value) for value in values]
    return numbers


def choose(condition, yes, no):
    return yes if condition else no


class Words:
    """A module whose functions take such numbers."""

    meanings = types.MappingProxyType({
        "where": choose, "zeros": zeros, "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
        "divide": operator.truediv, "negative": operator.neg, "less": operator.lt, "greater_equal": operator.ge,
        "equal": operator.eq, "logical_not": operator.not_, "maximum": extreme(operator.gt, nan_spreads=True),
        "minimum": extreme(operator.lt, nan_spreads=True),
    })

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        meaning = self.meanings.get(name, getattr(self.module, name))
        return function(meaning) if meaning is getattr(self.module, name) and callable(meaning) else meaning


def carried(plain):
    """The same code with such numbers in the place of doubles."""
    scope = dict(plain.__globals__)
    for name, value in scope.items():
        if isinstance(value, types.ModuleType):
            scope[name] = Words(value)
        elif isinstance(value, types.FunctionType) and name in plain.__code__.co_names:
            scope[name] = carried(value)
    words = {"max": extreme(operator.gt), "min": extreme(operator.lt), "float": lambda value: value}
    return types.FunctionType(plain.__code__, scope | words, plain.__name__, plain.__defaults__, plain.__closure__)


def bounds(plain, X, *arguments):
    """Values of the plain function at the rows of X, and how far another computation of them may be; inf: anything."""
    written = carried(plain)
    pairs = []
    with np.errstate(all="ignore"):
        for x in X:
            try:
                found = number(written(row(x), *arguments))
            except (UnsettledError, ArithmeticError, ValueError):  # Python raises where compiled code goes on
                found = Rounded(math.nan, math.inf)
            pairs.append((found.value, 2.0 * found.error))
    return np.array(pairs).T


def disagreements(got, wanted, allowed):
    """Where results differ by more than is allowed, or in kind."""
    with np.errstate(invalid="ignore"):
        is_same = (got == wanted) | (np.isnan(got) & np.isnan(wanted)) | (np.abs(got - wanted) <= allowed)
    return np.flatnonzero(~(is_same | np.isinf(allowed)))
