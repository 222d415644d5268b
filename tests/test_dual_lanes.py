"""Dual numbers on lanes: every operator and every function of the table against mpmath and against single duals.

The list of expressions is that of single duals, with one name for each function of the table: the others have its rule.
They stand in compiled functions of a few expressions each, since one for all would take minutes to compile.
"""

import math

import mpmath
import numpy as np
import pytest
import test_duals
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from test_duals import EXPRESSIONS, IN_TABLE, NAMES, OPERATORS, ORACLE_OF, directions

import fastebm as eb
from fastebm._compile import TILE, Compiled
from fastebm._faults import EnergyCompileError
from fastebm.lanes import (
    language,
    meanings,  # noqa: F401 (registers words of the language)
)
from fastebm.lanes.arrays import dual_lanes_of, writable_dual_lanes_of
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.tiles import LANES

FIRST = [next(word for word, function in NAMES.items() if function is entry.callables[0])
         for entry in (UNARY | BINARY).values()]
ON_LANES = [text for text in OPERATORS if " if " not in text]  # a branch needs one truth for all chains
ON_LANES += [text for word in FIRST for text in (f"{word}(a)", f"{word}(a, b)", f"{word}(b, a)") if text in IN_TABLE]
MORE = [  # with what is wanted of single numbers where that is other text
    ("where(a > 0.5, a * b, b)", None), ("where(a > 0.5, 1.0, b)", None), ("where(b < a, 1.0, 2.0)", None),
    ("where((a > 0.4) & (b > 1.5), a, b * b)", None), ("where((a > 0.4) | (b > 1.5), a, b * b)", None),
    ("where((a > 0.4) ^ (b > 1.5), a, b * b)", None), ("where(~(a > 0.4), a, b * b)", "where(not (a > 0.4), a, b * b)"),
    ("where(a > 0.5, sqrt(a - 0.5), 0.0)", "sqrt(a - 0.5) if a > 0.5 else 0.0"),  # no nan from the other branch
    ("where(a > 0.5, 0.0, log(0.5 - a))", "log(0.5 - a) if a <= 0.5 else 0.0"),
    ("where(a <= 0.5, a, where(b >= 1.5, b, a * b))", None), ("where(a != b, a, b)", None),
    ("where(a == b, a, b)", None), ("max(a, b, 1.3)", None), ("min(b, 1.2, a, 0.6)", None), ("a % 0.3", None),
    ("b % a", None), ("7.5 % a", None), ("(b // 0.3) * a", None), ("a ** 5", None), ("a ** -3", None),
    ("a ** 1", None), ("(a - b) ** 3", None), ("where(isnan(a), b, a)", "a"), ("where(isfinite(a), b, a)", "b"),
    ("where(isinf(a), b, a)", "a"), ("constant ** a", None), ("a * constant + sin(constant) * b", None),
    ("max(constant, a)", None), ("hypot(a, constant)", None),
]
WORDS = {
    "where": language.where, "sqrt": math.sqrt, "log": math.log, "sin": math.sin, "hypot": math.hypot,
    "isnan": math.isnan, "isinf": math.isinf, "isfinite": math.isfinite,
    "vanishes": language.vanishes,
}
TEXTS = [*ON_LANES, *(text for text, _ in MORE)]
PLAIN = [*ON_LANES, *(plain or text for text, plain in MORE)]


def made(expressions):
    """A function of lanes a and b, their slopes and a constant: values and slopes (n_expressions, LANES)."""
    parts = [_compiled(expressions[start : start + 6]) for start in range(0, len(expressions), 6)]

    def call(a, b, da, db, constant=0.75):
        x = np.array([np.broadcast_to(one, LANES) for one in (a, b, constant)], dtype=float)
        v = np.array([np.broadcast_to(one, LANES) for one in (da, db, 0.0)], dtype=float)
        g, h = np.empty((len(expressions), LANES)), np.empty((len(expressions), LANES))
        for k, part in enumerate(parts):
            part(x, v, g[6 * k : 6 * k + 6], h[6 * k : 6 * k + 6])
        return g, h

    return call


def _compiled(expressions):
    lines = [f"    out[{k}] = {text}" for k, text in enumerate(expressions)]
    text = "\n".join([
        "def run(x, v, g, h):", "    point = lanes(x, v, 0, 3)", f"    out = writable(g, h, 0, {len(expressions)})",
        "    a, b, constant = point[0], point[1], x[2, 0]", *lines,
    ])
    scope = {**NAMES, **WORDS, "__name__": __name__, "lanes": dual_lanes_of, "writable": writable_dual_lanes_of}

    def build():
        exec(text, scope)
        return scope["run"]

    return Compiled(build, types.void(TILE, TILE, TILE, TILE), text, "test of dual lanes")


run = made(TEXTS)


@given(st.integers(0, 2**32), directions)
@settings(max_examples=6)
def test_every_expression(seed, direction):
    generator = np.random.default_rng(seed)
    a, b = generator.uniform(0.2, 0.9, LANES), generator.uniform(1.1, 1.9, LANES)
    values, slopes = run(a, b, *direction)
    step = mpmath.mpf(2) ** -100
    words = ORACLE_OF | {
        "where": lambda condition, yes, no: yes if condition else no, "sqrt": mpmath.sqrt, "log": mpmath.log,
        "sin": mpmath.sin, "hypot": mpmath.hypot, "constant": mpmath.mpf(0.75),
    }
    with mpmath.workprec(400):
        for l in (0, LANES - 1):
            sides = [words | {"a": a[l] + move * direction[0], "b": b[l] + move * direction[1]}
                     for move in (0 * step, step, -step)]
            for text, plain, value, slope in zip(TEXTS, PLAIN, values[:, l], slopes[:, l], strict=True):
                here, above, below = (mpmath.re(mpmath.mpmathify(_evaluated(plain, side))) for side in sides)
                assert value == pytest.approx(float(here), rel=1e-13, abs=1e-14), text
                assert slope == pytest.approx(float((above - below) / (2 * step)), rel=1e-12, abs=1e-12), text


def _evaluated(text, words):
    """Where both branches are computed, that which is not taken may be a complex number."""
    return eval(text, {"__builtins__": {"max": max, "min": min, "abs": abs, "pow": pow, "True": True}}, words)


def test_every_function_of_the_table_is_there():
    assert len(FIRST) == len(UNARY) + len(BINARY)
    assert len([text for text in ON_LANES if text in IN_TABLE]) == len(UNARY) + 2 * len(BINARY)


@given(st.integers(0, 2**32), directions)
@settings(max_examples=10)
def test_lanes_give_what_single_duals_give(seed, direction):
    """To a few roundings, in every lane."""
    generator = np.random.default_rng(seed)
    a, b = generator.uniform(0.2, 0.9, LANES), generator.uniform(1.1, 1.9, LANES)
    values, slopes = run(a, b, *direction)
    places = [EXPRESSIONS.index(text) for text in ON_LANES]
    for l in range(LANES):
        out = np.empty((len(EXPRESSIONS), 2))
        test_duals.run(np.tile([a[l], direction[0], b[l], direction[1]], (len(out), 1)), out)
        np.testing.assert_allclose(values[: len(ON_LANES), l], out[places, 0], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(slopes[: len(ON_LANES), l], out[places, 1], rtol=2e-14, atol=2e-14)


SPECIAL = [(text, a, slope) for text, a, slope in test_duals.SPECIAL if text != "a * 1e200 * 1e200"] + [
    ("a * 1e200 * 1e200", 1.0, math.inf), ("where(a > 0.0, log(a), 0.0)", -1.0, 0.0),
    ("where(a > 0.0, sqrt(a), 2.0 * a)", 0.0, 2.0), ("where(a == 0.0, 1.0, sin(a) / a)", 0.0, 0.0),
    ("min(a, a * a)", 1.0, 1.0), ("max(0.0, a)", 0.0, 0.0), ("a ** 0.0", -2.0, 0.0),
]
run_special = made([text for text, _, _ in SPECIAL])


def test_special_points():
    for k, (text, a, slope) in enumerate(SPECIAL):
        seen = run_special(a, 0.0, 1.0, 0.0)[1][k]
        np.testing.assert_equal(seen, np.full(LANES, slope), err_msg=f"{text} at {a}")


run_vanishing = made([f"where(vanishes({text}), 1.0, 0.0)" for text in ("a", "a * b", "constant")])


@pytest.mark.parametrize(
    ("a", "da", "wanted"), [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (math.nan, 0.0, 0.0)]
)
def test_only_what_is_constant_vanishes(a, da, wanted):
    values, slopes = run_vanishing(a, 1.0, da, 0.0, constant=a)
    assert (values[0] == wanted).all()
    assert (values[1] == wanted).all()
    assert (values[2] == (a == 0.0)).all()
    assert (slopes == 0.0).all()


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_lanes_do_not_touch_each_other(seed):
    """One lane of nan leaves the others their bits."""
    generator = np.random.default_rng(seed)
    a, b = generator.uniform(0.2, 0.9, LANES), generator.uniform(1.1, 1.9, LANES)
    clean = run(a, b, 1.0, -0.5)
    hostile = generator.integers(LANES)
    a[hostile] = generator.choice([math.nan, math.inf, -math.inf, 0.0, -1e308])
    others = np.arange(LANES) != hostile
    for one, other in zip(clean, run(a, b, 1.0, -0.5), strict=True):
        assert (one[:, others] == other[:, others]).all()


def test_second_derivatives_leave_no_nan_behind_a_choice():
    @eb.energy(1)
    def smooth_at_zero(x):
        wave = eb.where(x[0] == 0.0, 1.0, math.sin(x[0]) / x[0])
        return wave + eb.where(x[0] > 0.0, math.sqrt(x[0]), 0.0) + x[0] ** 2

    assert smooth_at_zero.grad([0.0]).tolist() == [0.0]
    assert smooth_at_zero.hvp([0.0], [1.0]).tolist() == [2.0]
    with pytest.raises(EnergyCompileError):
        eb.energy(1)(eval("lambda x: x[0] ** 2")).hvp([1.0], [1.0])  # no source, no adjoint


@pytest.mark.parametrize("size", [0.5, 5.0, 30.0, 177.0, 200.0, 340.0, 354.0, 400.0, 711.0, 1e4, 1e300])
def test_tanh_has_second_derivatives_far_out(size):
    """Where cosh or its square overflow, they are still what they are: next to nothing."""
    for x in (size, -size):
        with mpmath.workdps(60):
            first = mpmath.sech(mpmath.mpf(x)) ** 2
            second = -2 * mpmath.tanh(mpmath.mpf(x)) * first
        assert saturated.grad([x])[0] == pytest.approx(float(first), rel=1e-12, abs=1e-300)
        assert saturated.hvp([x], [1.0])[0] == pytest.approx(float(second), rel=1e-12, abs=1e-300)


@eb.energy(1)
def saturated(x):
    return math.tanh(x[0])
