"""Every entry of the table against mpmath: its derivative formulas, and that nothing in it goes unjudged."""

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastebm.lanes.language import digamma, trigamma
from fastebm.lanes.primitives import BINARY, UNARY, function_of


def between(low, high):
    return st.floats(low, high)


# The function in mpmath, and where it is judged: away from kinks and from where its condition number is large.
ORACLES = {
    "exp": (mpmath.exp, between(-700, 700)),
    "expm1": (mpmath.expm1, between(-700, 700)),
    "exp2": (lambda x: mpmath.mpf(2) ** x, between(-1000, 1000)),
    "log": (mpmath.log, between(1e-300, 1e300)),
    "log1p": (mpmath.log1p, between(-0.9, 1e300)),
    "log2": (lambda x: mpmath.log(x) / mpmath.log(2), between(1e-300, 1e300)),
    "log10": (mpmath.log10, between(1e-300, 1e300)),
    "sqrt": (mpmath.sqrt, between(1e-300, 1e300)),
    "square": (lambda x: x * x, between(-1e150, 1e150)),
    "sin": (mpmath.sin, between(-1.5, 1.5)),
    "cos": (mpmath.cos, between(0.1, 3.0)),
    "tan": (mpmath.tan, between(-1.5, 1.5)),
    "asin": (mpmath.asin, between(-0.99, 0.99)),
    "acos": (mpmath.acos, between(-0.99, 0.99)),
    "atan": (mpmath.atan, between(-1e100, 1e100)),
    "sinh": (mpmath.sinh, between(-700, 700)),
    "cosh": (mpmath.cosh, between(1e-6, 700) | between(-700, -1e-6)),
    "tanh": (mpmath.tanh, between(-300, 300)),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), between(-700, 700)),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), between(-700, 700)),
    "erf": (mpmath.erf, between(-8, 8)),
    "erfc": (mpmath.erfc, between(-8, 8)),
    "lgamma": (lambda x: mpmath.log(abs(mpmath.gamma(x))), between(1e-3, 1e3) | between(-7.8, -7.2)),
    "abs": (abs, between(-10, -1e-9) | between(1e-9, 10)),
    "sign": (mpmath.sign, between(-10, -1e-9) | between(1e-9, 10)),
    "floor": (mpmath.floor, between(0.1, 0.9) | between(-7.9, -7.1)),
    "ceil": (mpmath.ceil, between(0.1, 0.9) | between(-7.9, -7.1)),
}
away = between(0.1, 20.0) | between(-20.0, -0.1)
BINARY_ORACLES = {
    "atan2": (mpmath.atan2, away, away),
    "hypot": (mpmath.hypot, away, away),
    "copysign": (lambda a, b: abs(a) * mpmath.sign(b), away, away),
    "logaddexp": (lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)), between(-50, 50), between(-50, 50)),
    "max": (max, between(-5, 0), between(0.1, 5)),
    "min": (min, between(0.1, 5), between(-5, 0)),
    "maximum": (max, between(-5, 0), between(0.1, 5)),
    "minimum": (min, between(0.1, 5), between(-5, 0)),
}


def slope(f, x) -> float:
    """df/dx by central differences in so many digits that their errors do not show."""
    with mpmath.workprec(1500):
        at, step = mpmath.mpf(x), mpmath.mpf(2) ** -200 * max(abs(mpmath.mpf(x)), mpmath.mpf(2) ** -1000)
        return float((f(at + step) - f(at - step)) / (2 * step))


def derivative(name):
    return function_of(UNARY[name].derivative, "x", "y")


def partials(name):
    return [function_of(text, "a", "b", "y") for text in (BINARY[name].first, BINARY[name].second)]


def close(got, wanted, name=""):
    zero = 1e-13 if name == "lgamma" else 1e-290  # digamma has zeros, next to which only its absolute error is small
    return got == pytest.approx(wanted, rel=4e-14, abs=zero)


def test_every_entry_is_judged():
    assert ORACLES.keys() == UNARY.keys()
    assert BINARY_ORACLES.keys() == BINARY.keys()


@pytest.mark.parametrize("name", UNARY)
@given(st.data())
def test_derivative_of_one_argument(name, data):
    f, numbers = ORACLES[name]
    x = data.draw(numbers)
    value = float(f(mpmath.mpf(x)))
    assert close(derivative(name)(x, value), slope(f, x), name)


@pytest.mark.parametrize("name", BINARY)
@given(st.data())
def test_derivatives_of_two_arguments(name, data):
    f, first, second = BINARY_ORACLES[name]
    for a, b in ((data.draw(first), data.draw(second)), (data.draw(second), data.draw(first))):
        value = float(f(mpmath.mpf(a), mpmath.mpf(b)))
        first_of, second_of = partials(name)
        assert close(first_of(a, b, value), slope(lambda t, b=b: f(t, mpmath.mpf(b)), a))
        assert close(second_of(a, b, value), slope(lambda t, a=a: f(mpmath.mpf(a), t), b))


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_the_callables_of_an_entry_are_the_function_of_its_name(name):
    n_arguments = 1 if name in UNARY else 2
    arguments = (0.3, 0.7)[:n_arguments]
    f = (ORACLES | BINARY_ORACLES)[name][0]
    for function in (UNARY | BINARY)[name].callables:
        assert float(function(*arguments)) == pytest.approx(float(f(*map(mpmath.mpf, arguments))), rel=1e-14)


def test_no_callable_stands_in_two_entries():
    every = [function for entry in (*UNARY.values(), *BINARY.values()) for function in entry.callables]
    assert len(set(map(id, every))) == len(every)


@given(between(1e-6, 1e15) | between(-50.0, -1e-3).filter(lambda x: abs(x - round(x)) > 1e-3))
def test_derivatives_of_lgamma(x):
    assert digamma(x) == pytest.approx(float(mpmath.digamma(mpmath.mpf(x))), rel=1e-13, abs=1e-12)
    assert trigamma(x) == pytest.approx(float(mpmath.psi(1, mpmath.mpf(x))), rel=1e-12)


def test_kinks_follow_the_documented_side():
    for zero in (0.0, -0.0):
        assert derivative("abs")(zero, 0.0) == 0.0
    for name in ("max", "min", "maximum", "minimum"):
        first_of, second_of = partials(name)
        assert first_of(1.0, 1.0, 1.0) == 1.0
        assert second_of(1.0, 1.0, 1.0) == 0.0
