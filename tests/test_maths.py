"""The elementary functions of lanes against mpmath, in units in the last place, and at their special values."""

import functools
import math
import operator

import chebyshev
import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.extending import intrinsic

from fastebm._compile import FLAGS
from fastebm.lanes import lane, maths, vectors
from fastebm.lanes.maths import angles, exponentials, logarithms, order, powers, special
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.tiles import LANES

N = 48
HUGE, LEAST, NORMAL = 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308
EPS = 2.0**-52
seeds = st.integers(0, 2**64 - 1)


def uniform(low, high):
    return lambda generator: generator.uniform(low, high, N)


def positive(low=LEAST, high=HUGE):
    """Uniform on the scale of exponents."""
    return lambda generator: np.exp2(generator.uniform(math.log2(low), math.log2(high), N))


def either(low=LEAST, high=HUGE):
    """The same with both signs."""
    return lambda generator: positive(low, high)(generator) * generator.choice([-1.0, 1.0], N)


def beside(point, reach=0.25):
    return lambda generator: point + either(2.0**-53, reach)(generator)


def turns(n):
    """Multiples of a quarter turn up to n of them, and the doubles next to these."""
    return lambda generator: (
        np.rint(generator.uniform(-n, n, N)) * (math.pi / 2) * (1.0 + generator.integers(-2, 3, N) * 2.0**-53)
    )


def pairs(first, second):
    return lambda generator: (first(generator), second(generator))


def powers_of(base):
    """Bases, and exponents that reach from no result to the largest."""
    def draw(generator):
        x = base(generator)
        x[x == 1.0] = 2.0
        return x, generator.uniform(-745.0, 709.7, N) / np.log(x)

    return draw


def whole_powers(generator):
    return np.rint(generator.uniform(-30.0, 30.0, N)) + 0.5, np.rint(generator.uniform(-300.0, 300.0, N))


ANGLES = [uniform(-1.0, 1.0), uniform(-10.0, 10.0), either(LEAST, 2.0**20), either(2.0**20), turns(9), turns(6e5)]
LOGARITHM = [positive(), positive(LEAST, NORMAL), beside(1.0), uniform(0.5, 2.0)]
PLANE = [pairs(either(), either()), pairs(uniform(-5.0, 5.0), uniform(-5.0, 5.0)), pairs(beside(1.0), beside(-1.0))]
ANYWHERE = [either(), uniform(-9.0, 9.0)]
ANY_PAIR = [pairs(either(), either()), pairs(uniform(-9.0, 9.0), uniform(-9.0, 9.0))]
ARGUMENTS = {
    "exp": [uniform(-745.2, 709.78), uniform(-1.0, 1.0), either(LEAST, 1.0)],
    "expm1": [uniform(-45.0, 709.78), uniform(-1.0, 1.0), either(LEAST, 1.0), uniform(0.34, 0.38)],
    "exp2": [uniform(-1075.0, 1023.99), uniform(-1.0, 1.0), either(LEAST, 1.0)],
    "log": LOGARITHM,
    "log2": LOGARITHM,
    "log10": LOGARITHM,
    "log1p": [positive(), either(LEAST, 0.99), uniform(-0.99, 3.0), lambda rng: positive(2.0**-53, 0.5)(rng) - 1.0],
    "sqrt": [positive()],
    "square": [either(2.0**-510, 2.0**511)],
    "sin": ANGLES,
    "cos": ANGLES,
    "tan": ANGLES,
    "asin": [uniform(-1.0, 1.0), either(LEAST, 1.0), lambda rng: 1.0 - positive(2.0**-53, 0.6)(rng), beside(0.5)],
    "acos": [uniform(-1.0, 1.0), either(LEAST, 1.0), lambda rng: positive(2.0**-53, 0.6)(rng) - 1.0, beside(-0.5)],
    "atan": [either(), uniform(-5.0, 5.0), beside(1.0)],
    "sinh": [uniform(-710.4, 710.4), either(LEAST, 2.0), uniform(-3.0, 3.0), beside(1.0)],
    "cosh": [uniform(-710.4, 710.4), either(LEAST, 2.0), uniform(-3.0, 3.0)],
    "tanh": [uniform(-20.0, 20.0), either(LEAST, 2.0), uniform(0.4, 0.8)],
    "erf": [uniform(-6.5, 6.5), either(LEAST, 2.0), beside(1.0)],
    "erfc": [uniform(-6.0, 27.3), either(LEAST, 2.0)],
    "lgamma": [
        positive(), uniform(0.0, 1.0), beside(1.0), uniform(1.0, 3.0), beside(2.0), uniform(3.0, 8.0),
        lambda rng: np.rint(rng.uniform(2.0, 9.0, N)) * (1.0 + rng.integers(-2, 3, N) * EPS), uniform(8.0, 40.0),
    ],
    "abs": ANYWHERE,
    "sign": ANYWHERE,
    "floor": ANYWHERE,
    "ceil": ANYWHERE,
    "sigmoid": [uniform(-745.0, 40.0), either(LEAST, 5.0), uniform(-5.0, 5.0)],
    "softplus": [uniform(-745.0, 45.0), either(LEAST, 5.0), uniform(-5.0, 5.0), positive(5.0)],
    "atan2": PLANE,
    "hypot": [*PLANE, *(pairs(either(a, b), either(a, b)) for a, b in ((LEAST, 1e-300), (1e300, 1e308)))],
    "copysign": ANY_PAIR,
    "max": ANY_PAIR,
    "min": ANY_PAIR,
    "maximum": ANY_PAIR,
    "minimum": ANY_PAIR,
    "logaddexp": [
        pairs(uniform(-5.0, 5.0), uniform(-5.0, 5.0)), pairs(uniform(-800.0, 800.0), uniform(-800.0, 800.0)),
        pairs(either(), either()), lambda rng: (b := uniform(-1.0, 0.0)(rng), np.log1p(-np.exp(b))),  # zeros
    ],
    "power": [*map(powers_of, (positive(), positive(NORMAL), beside(1.0), uniform(0.5, 2.0))), whole_powers],
}
EXACT = {
    "exp2": lambda x: mpmath.mpf(2) ** x, "log2": lambda x: mpmath.log(x, 2), "square": lambda x: x * x, "abs": abs,
    "lgamma": lambda x: mpmath.loggamma(x).real, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "max": max, "min": min,
    "maximum": max, "minimum": min,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)), "power": mpmath.power,
    "copysign": lambda a, b: abs(a) * mpmath.sign(b),
    "logaddexp": lambda a, b: max(a, b) + mpmath.log1p(mpmath.exp(-abs(a - b))),
}
PARTS = (angles, exponentials, logarithms, order, powers, special)
BOUNDS = {"power": 4.0, "erfc": 6.0}  # of erfc as the C library promises it; else 2


def replace(monkeypatch, name, replaced):
    """Let all files of `maths` that know the name know another thing by it."""
    for part in PARTS:
        if hasattr(part, name):
            monkeypatch.setattr(part, name, replaced)


def on_lanes(formula):
    """A formula without a callable as a function of a lane."""

    def generate(_context, builder, _signature, arguments):
        return formula(vectors.Real(builder, arguments[0])).value

    return intrinsic(lambda _context, _x: (lane.LANE(lane.LANE), generate))


FUNCTIONS = {"power": operator.pow} | {name: entry.callables[0] for name, entry in (UNARY | BINARY).items()}
IS_BINARY = {*BINARY, "power"}
SINE, COSINE = (on_lanes(lambda x, k=k: maths.direction(x.bits())[k]) for k in range(2))


def made(function, arity):
    """The compiled function of a tile (arity, width) that fills out (1, width)."""
    if arity == 1:
        def run(x, out):
            for l in range(0, x.shape[1], LANES):
                lane.store(out, 0, l, function(lane.load(x, 0, l)))
    else:
        def run(x, out):
            for l in range(0, x.shape[1], LANES):
                lane.store(out, 0, l, function(lane.load(x, 0, l), lane.load(x, 1, l)))
    return numba.njit(**FLAGS)(run)


made_once = functools.cache(made)


def values(function, x, make=made_once):
    """function(*x) on lanes for x (arity, n)."""
    tile = np.ones((len(x), -(-len(x[0]) // LANES) * LANES))
    tile[:, : len(x[0])] = x
    out = np.empty((1, tile.shape[1]))
    make(function, len(x))(tile, out)
    return out[0, : len(x[0])]


def drawn(name, seed):
    """All sets of arguments of a function, (arity, n)."""
    generator = np.random.default_rng(seed)
    return np.concatenate([np.atleast_2d(draw(generator)).astype(float) for draw in ARGUMENTS[name]], axis=1)


def is_same(a, b) -> bool:
    """Whether two doubles are the same, zeros with their signs."""
    return (a == b and math.copysign(1.0, a) == math.copysign(1.0, b)) or (math.isnan(a) and math.isnan(b))


def ulps(got, exact) -> float:
    """The distance from the exact value in units in the last place of the double next to it."""
    nearest = float(exact)
    if not (math.isfinite(got) and math.isfinite(nearest)):
        return 0.0 if is_same(got, nearest) else math.inf
    return float(abs(mpmath.mpf(float(got)) - exact) / math.ulp(nearest))


def slack(name, arguments, exact) -> float:
    """The absolute error that is allowed where terms cancel, and for the C library's lgamma below zero."""
    if name == "logaddexp":
        largest = max(*map(abs, arguments), math.log(2.0))
        return 2.0 * EPS * largest if abs(exact) < largest / 2 else 0.0
    return 10.0 * EPS * max(1.0, abs(exact)) if name == "lgamma" and arguments[0] < 0.0 else 0.0


def worst(name, x, make=made_once) -> float:
    """The largest error at the arguments x (arity, n), in units in the last place."""
    exact_function = EXACT.get(name) or getattr(mpmath, name)
    errors = [0.0]
    for *arguments, got in zip(*x.tolist(), values(FUNCTIONS[name], x, make).tolist(), strict=True):
        exact = exact_function(*map(mpmath.mpf, arguments))
        if not abs(got - exact) <= slack(name, arguments, exact):
            errors.append(ulps(got, exact))
    return max(errors)


names = pytest.mark.parametrize("name", [*ARGUMENTS])


def test_every_function_of_the_table_is_here():
    assert {*UNARY, *BINARY} <= {*ARGUMENTS} == {*FUNCTIONS}


@names
@given(seeds)
@settings(max_examples=15)
def test_accuracy(name, seed):
    assert worst(name, drawn(name, seed)) <= BOUNDS.get(name, 2.0)


@given(seeds)
def test_lgamma_of_negative_numbers(seed):
    generator = np.random.default_rng(seed)
    x = -np.concatenate([uniform(0.0, 100.0)(generator), positive(LEAST, 1e15)(generator)])[None]
    for one, got in zip(x[0], values(math.lgamma, x), strict=True):
        exact = mpmath.loggamma(one).real if one != np.rint(one) else mpmath.inf
        assert is_same(got, float(exact)) or abs(got - exact) <= slack("lgamma", [one], exact), one


SELECTIONS = {"square", "abs", "sign", "copysign", "floor", "ceil", "max", "min", "maximum", "minimum"}


@pytest.mark.parametrize("name", sorted({*ARGUMENTS} - SELECTIONS))
def test_a_worse_formula_would_be_seen(name, monkeypatch):
    """Polynomials without their last coefficients, roots and functions of the C library with an error of four bits."""
    root, each = vectors.Real.sqrt, vectors.Real.each
    replace(monkeypatch, "polynomial", lambda x, *terms: vectors.polynomial(x, *terms[:-1]))
    monkeypatch.setattr(vectors.Real, "sqrt", lambda x: root(x) * (1.0 + 16.0 * EPS))
    monkeypatch.setattr(vectors.Real, "each", lambda *x: each(*x) * (1.0 + 16.0 * EPS))
    assert worst(name, drawn(name, 1), made) > BOUNDS.get(name, 2.0)


@pytest.mark.parametrize(("name", "part", "replaced"), [
    ("exp", "LOG_2", (math.log(2.0), 0.0)), ("expm1", "_halvings", lambda x: (x, x * 0.0, x * 0.0)),
    ("log", "_log_of_any", maths.log_of_normal), ("softplus", "log1p", lambda x: maths.log(1.0 + x)),
    ("log1p", "_log_of_parts", lambda k, f, low, careful=logarithms._log_of_parts: careful(k, f)),
    *((name, "_PARTS_OF_HALF_PI", (*angles._PARTS_OF_HALF_PI[:2], 0.0, 0.0)) for name in ("sin", "cos", "tan")),
    *((name, "_LARGEST_ANGLE", math.inf) for name in ("sin", "cos", "tan")),
    ("lgamma", "_STIRLING", special._STIRLING[:-2]),
    ("hypot", "where", lambda mask, yes, no: vectors.where(mask, no, yes)),
    ("power", "_log_twice", lambda x: (maths.log_of_normal(x), x * 0.0)),
])  # fmt: skip
def test_a_careless_step_would_be_seen(name, part, replaced, monkeypatch):
    x = drawn(name, 1)
    replace(monkeypatch, part, replaced)
    assert worst(name, x, made) > BOUNDS.get(name, 2.0)


# ---- special values ----

SPECIAL = [
    sign * x
    for x in (
        0.0, LEAST, 3e-310, NORMAL, 1e-20, 1.0 / 3.0, 0.5, math.nextafter(1.0, 0.0), 1.0, math.nextafter(1.0, 2.0),
        1.0000001, 2.0, 3.0, 8.0, 171.5, 1e15 + 1.0, 2.0**53, 2.0**53 + 2.0, 1e22, 1e300, HUGE, math.inf, math.nan,
    )
    for sign in (1.0, -1.0)
]
ENDS = {  # where results begin to be none
    "exp": [709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412], "exp2": [1024.0, -1075.0],
    "expm1": [709.782712893384, 709.7827128933841, -40.0], "sinh": [710.4758600739439, 710.475860073944],
    "cosh": [710.4758600739439, 710.475860073944], "sigmoid": [-745.1332191019411, -745.1332191019412],
    "lgamma": [2.5563481638716906e305, 2.556348163871691e305, -0.5, -1.5], "erfc": [27.2, 27.3],
    "sin": [2.0**20, 2.0**20 + 1.0], "cos": [2.0**20, 2.0**20 + 1.0], "tan": [2.0**20, 2.0**20 + 1.0],
}
BY_NUMPY = {  # NumPy's names, whose functions take special values as the C library does
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "power": np.float_power,
    "max": max, "min": min, "sigmoid": lambda x: np.exp(min(x, 0.0)) / (1.0 + np.exp(-abs(x))),
    "softplus": lambda x: np.logaddexp(0.0, x),
}


def by_library(name, arguments) -> float:
    """What Python or NumPy say, without errors."""
    try:
        function = BY_NUMPY.get(name) or getattr(np, name, None) or getattr(math, name)
        with np.errstate(all="ignore"):
            return float(function(*map(np.float64, arguments)))
    except (ValueError, OverflowError):  # lgamma at its poles and of huge numbers
        return math.inf


@names
def test_special_values(name):
    """Where the library's value is infinite, zero or nan it is the same, zero with its sign; else it is near."""
    points = [*SPECIAL, *ENDS.get(name, [])]
    x = np.array([(a, b) for a in points for b in points] if name in IS_BINARY else [(a,) for a in points]).T
    for *arguments, got in zip(*x.tolist(), values(FUNCTIONS[name], x).tolist(), strict=True):
        wanted = by_library(name, arguments)
        if name in ("maximum", "minimum") and arguments[0] == arguments[1] == 0.0:
            assert got == 0.0  # of two zeros NumPy's scalars and vectors take different ones
            continue
        if math.isfinite(wanted) and wanted != 0.0 and wanted != got:
            exact = (EXACT.get(name) or getattr(mpmath, name))(*map(mpmath.mpf, arguments))
            is_near = abs(got - exact) <= slack(name, arguments, exact) or ulps(got, exact) <= BOUNDS.get(name, 2.0)
            assert is_near, (arguments, got, wanted)
        else:
            assert is_same(got, wanted), (arguments, got, wanted)


@pytest.mark.parametrize(("x", "y", "result"), [
    (0.0, 0.0, 1.0), (0.0, -1.0, math.inf), (-0.0, -1.0, -math.inf), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0),
    (math.inf, 0.0, 1.0), (math.nan, 0.0, 1.0), (1.0, math.nan, 1.0), (math.nan, 1.0, math.nan),
    (2.0, math.nan, math.nan), (-2.0, 3.0, -8.0), (-2.0, -3.0, -0.125), (-8.0, 1.0 / 3.0, math.nan),
    (-1.0, 2.0**53 - 1.0, -1.0), (-2.0, 2.0**53 + 2.0, math.inf), (-0.5, -1e19, math.inf), (-1.0, math.inf, 1.0),
    (-math.inf, -3.0, -0.0), (0.5, 1e300, 0.0), (0.5, math.inf, 0.0), (1.0000001, 1e300, math.inf),
    (LEAST, 0.5, 2.0**-537), (LEAST, -1.0, math.inf),
])  # fmt: skip
def test_powers_by_hand(x, y, result):
    assert is_same(values(operator.pow, np.array([[x], [y]]))[0], result)


@pytest.mark.parametrize(("name", "x", "result"), [
    ("exp2", np.arange(-1074.0, 1024.0), 2.0 ** np.arange(-1074.0, 1024.0)),
    ("log2", 2.0 ** np.arange(-1074.0, 1024.0), np.arange(-1074.0, 1024.0)),
    ("log10", 10.0 ** np.arange(23.0), np.arange(23.0)),
])
def test_powers_of_two_and_ten_are_exact(name, x, result):
    np.testing.assert_array_equal(values(FUNCTIONS[name], x[None]), result)


# ---- lanes ----


@names
@given(seeds)
@settings(max_examples=3)
def test_a_lane_does_not_see_its_neighbours(name, seed):
    """Each argument in a lane of its own kind, and in a lane of others, some of which need the C library."""
    generator = np.random.default_rng(seed)
    arity = 1 + (name in IS_BINARY)
    x = generator.permutation(np.concatenate([drawn(name, seed).T, generator.choice(SPECIAL, (40, arity))]))[:100].T
    places = np.arange(len(x[0])) * LANES + generator.integers(0, LANES, len(x[0]))
    alone = np.repeat(x, LANES, axis=1)
    mixed = generator.choice([*SPECIAL, *x.ravel()], alone.shape)
    mixed[:, places] = x
    np.testing.assert_array_equal(
        values(FUNCTIONS[name], alone)[places].view(np.int64) << 1 >> 1,  # a nan may have any sign
        values(FUNCTIONS[name], mixed)[places].view(np.int64) << 1 >> 1,
    )


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *((name, function) for name, entry in (UNARY | BINARY).items() for function in entry.callables[1:]),
        *(("power", function) for function in (pow, math.pow, np.power)),
    ],
)
def test_all_callables_of_an_entry_are_one_function(name, function):
    x = drawn(name, 1)
    np.testing.assert_array_equal(values(function, x), values(FUNCTIONS[name], x))


# ---- directions ----


def angle(word) -> mpmath.mpf:
    """The angle from its axis that the 52 high bits stand for, in turns."""
    return (mpmath.mpf(int(word) >> 12) / 2**52 - mpmath.mpf(1) / 2) / 4


def direction_error(words, make=made_once) -> float:
    """The largest error of sines and cosines of words (n,) whose two low bits are zero."""
    numbers = words.view(float)[None]
    return max(
        ulps(got, exact(2 * angle(word)))
        for function, exact in ((SINE, mpmath.sinpi), (COSINE, mpmath.cospi))
        for word, got in zip(words, values(function, numbers, make), strict=True)
    )


def words_of(seed):
    """Random words, and some next to an axis."""
    generator = np.random.default_rng(seed)
    small = np.uint64(2**63) + (generator.integers(-(2**40), 2**40, N) << 12).astype(np.uint64)
    return np.concatenate([generator.integers(0, 2**64, N, dtype=np.uint64), small]) & ~np.uint64(3)


@given(seeds)
def test_directions(seed):
    assert direction_error(words_of(seed)) <= 2.0


def test_a_worse_direction_would_be_seen(monkeypatch):
    replace(monkeypatch, "polynomial", lambda x, *terms: vectors.polynomial(x, *terms[:-1]))
    assert direction_error(words_of(1), made) > 2.0


@given(seeds)
def test_the_two_low_bits_choose_the_axis(seed):
    words = (words_of(seed)[0] | np.arange(4, dtype=np.uint64)).view(float)[None]
    sines, cosines = values(SINE, words), values(COSINE, words)
    assert [*zip(sines, cosines, strict=True)] == [
        (sines[0], cosines[0]), (sines[0], -cosines[0]), (cosines[0], sines[0]), (-cosines[0], sines[0])
    ]


# ---- coefficients ----


@pytest.mark.parametrize("name", [*chebyshev.FITS])
def test_the_polynomials_are_what_their_comments_say(name):
    assert chebyshev.coefficients(name) == next(getattr(part, name) for part in PARTS if hasattr(part, name))
