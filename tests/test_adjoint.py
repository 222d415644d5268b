"""The transformation by hand-made programs: what each construct means. Random programs stand in test_fuzz_adjoints."""

import math
import warnings
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_adjoints import PlainAdjoint, differences, energy_and_grad
from written_energies import exact

import fastebm as eb
from fastebm.adjoint import rules
from fastebm.adjoint.lines import Fork, Line, Loop, needed, written
from fastebm.adjoint.plans import plan_of
from fastebm.adjoint.scopes import Array, Scopes
from fastebm.adjoint.statements import Block, Let, Operand
from fastebm.adjoint.syntax import assigned, without_continue, without_early_return
from fastebm.lanes.language import vanishes

TABLE = np.array([0.5, -1.5, 2.0])
LEVEL = 0.25
points = st.lists(st.floats(-2.0, 2.0).filter(lambda x: abs(x) > 1e-3), min_size=3, max_size=3).map(np.array)


def shaped(a, sharpness=2.0, *, offset=0.5):
    return math.tanh(sharpness * a) + offset


def scaled(a, factor=LEVEL):
    return a * factor


def early(x):
    if TABLE[0] > 1.0:
        return x[0]
    if len(x) == 3:
        if TABLE[1] > 0.0:
            return x[1]
        y = x[2] ** 2
    else:
        return 0.0
    return y * x[0]


def skipped(x):
    total = 0.0
    for i in range(3):
        if i == 1:
            continue
        for j in range(i, 3):
            if j == i:
                total += x[j]
                continue
            total += x[i] * x[j] ** 2
    return total


def swaps(x):
    a, b, c = x[0], x[1] ** 2, 1.0
    for i in range(3):
        a, b, c = b * x[i], c, a + b
        b, c = c, b
    return a + b * c


def integer_then_float(x):
    n = 2
    total = 0
    for i in range(n + 1):
        total += x[i] * n
        n = n * 0.5
    return total * n


def aliases(x):
    a = eb.zeros(3, like=x)
    b = a
    a[0] = x[0]
    b[1] = a[0] * x[1]
    a[0] = b[1] + b[0]
    b[0] *= b[0]
    return a[0] + b[1] * a[1]


def overwritten_cells(x):
    a = eb.zeros(2, like=x)
    for i in range(3):
        a[i % 2] = a[1 - i % 2] * x[i] + a[i % 2] ** 2 + 1.0
        a[0] += math.sin(a[1])
    return a[0] * a[1]


def defaults(x):
    return scaled(x[0]) + scaled(x[1], 3.0) * scaled(factor=x[2], a=x[0])


def local_function(x):
    shift = x[0]

    def moved(a, by=2.0):
        return (a + shift) * by

    double = lambda a: 2.0 * a  # noqa: E731
    shift = x[1]
    return moved(x[2]) + double(moved(x[1], by=shift))


def counted(x):
    n, total, product = 5, 0.0, 1.0
    while n > 0 and product != 0.0:
        total += product * x[n % 3]
        product = product * 0.5
        n = n // 2
    return total * total


def never_entered(x):
    total = x[0]
    for i in range(2, 2):
        total = total * x[i]
    n = 0
    while n > 0:
        total = total * x[1]
        n -= 1
    return total * x[2]


def of_data_alone(x):
    total = 0.0
    for k in range(3):
        total += TABLE[k] ** 2
    return total


def constant(x):
    return 1.5


def sequences(x):
    total = 0.0
    for i, value in enumerate(x):
        total += value * i
    for a, b in zip(x, TABLE):  # noqa: B905 (compiled code takes no strict=)
        total += a * a * b
    for a in x:
        total += math.exp(0.1 * a)
    return total + sum((x[0], x[1])) + max((x[0], 5.0))


def chosen(x):
    if x[0] > 0.3:
        y = x[1] ** 2
    elif x[1] > 0.0:
        y = x[2]
    else:
        y = 3.0 * x[0]
    return y * x[2] if x[2] < 1.0 or not x[0] < 0.0 else y


def bounded(x):
    return min(x[0], x[1], x[2]) * max(abs(x[0]), 0.5) + x[1] % 10.0


def powers(x):
    a = 1.5 + x[0] ** 2
    return a**3 + a**-2 + a**0.5 + 2.0 ** x[1] + a ** x[2] + x[1] ** 2 + x[1] ** 1 + x[2] ** 0 + math.pow(a, 2.5)


def names_of_the_way_back(x):
    x_bar = x[0]
    weight = x_bar * x[1]
    energy = weight * weight
    for step in range(2):
        energy_before = energy * x[2]
        energy = energy_before + step
    t_bar = energy
    return t_bar + x_bar


HANDLED = [
    early, skipped, swaps, integer_then_float, aliases, overwritten_cells, defaults, local_function, counted,
    never_entered, of_data_alone, constant, sequences, chosen, bounded, powers, names_of_the_way_back,
]


@pytest.mark.parametrize("function", HANDLED, ids=lambda function: function.__name__)
@given(points)
@settings(max_examples=15)
def test_what_is_handled(function, x):
    energy, bar = energy_and_grad(function)(x)
    np.testing.assert_allclose(energy, function(x), rtol=1e-14, atol=1e-14)
    wanted = differences(function, x)
    if function is chosen and min(abs(x[0]), abs(x[0] - 0.3), abs(x[1]), abs(x[2] - 1.0)) < 1e-3:
        return  # across a jump
    if function is bounded and min(abs(abs(x[0]) - 0.5), *abs(x - x[[1, 2, 0]])) < 1e-3:
        return  # across a kink
    np.testing.assert_allclose(bar, wanted, rtol=1e-7, atol=1e-7 * (1.0 + abs(wanted).max()))


# ---- small energies ----


SMALL = {  # E(x, theta), and E(x) if it needs no theta
    "constant": (lambda x, theta: 1.5 + 0.0 * x[0], lambda x: 1.5, None),
    "of x": (lambda x, theta: 2.0 * x[0] ** 3, lambda x: 2.0 * x[0] ** 3, None),
    "of theta": (lambda x, theta: theta.a + 0.0 * x[0], lambda x, theta: theta.a, {"a": 2.0}),
    "of both": (lambda x, theta: theta.a * x[0] ** 3, lambda x, theta: theta.a * x[0] ** 3, {"a": 2.0}),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_energies(name):
    plain, function, theta = SMALL[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        E = eb.energy(1, theta)(function)
        value, grad, grad_theta = exact(plain, np.array([0.5]), theta or {})
        X = np.full((40, 1), 0.5)
        assert (E.energy(X) == value).all()
        assert (E.grad(X) == grad).all()
        assert E.grad_theta(X).shape == (40, E.n_params)
        assert (E.grad_theta(X) == grad_theta).all()
        assert E.mean_grad_theta(X).tolist() == grad_theta.tolist()
        curvature = {0: 0.0}.get(grad[0], 6.0)
        assert (E.hvp(X, [2.0]) == 2.0 * curvature).all()
        assert (E.laplacian(X) == curvature).all()


def test_globals_that_are_rebound_later_change_nothing(monkeypatch):
    E = eb.energy(3)(defaults)
    x = np.array([0.5, 1.0, -2.0])
    wanted = energy_and_grad(defaults)(x)[1]
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "scaled", lambda a, factor=0.0: 7.0)
        patch.setitem(globals(), "TABLE", np.zeros(3))
        np.testing.assert_allclose(E.grad(x), wanted, rtol=1e-15)


def test_the_gradient_along_theta_of_every_shape():
    theta = namedtuple("theta", ["scale", "w", "M"])(1.5, np.array([0.5, -1.0, 2.0]), np.arange(6.0).reshape(2, 3))

    def function(x, theta):
        total = theta.scale
        for j in range(3):
            total += theta.w[-j - 1] * theta.M[j % 2, j] * x[j]
        return total * theta.M[-1, -1] * theta.scale

    x = np.array([0.3, -0.7, 1.1])
    adjoint = PlainAdjoint(function, theta, 3)
    value, grad, grad_theta = exact(function, x, theta._asdict())
    np.testing.assert_allclose(adjoint.grad(x)[0], value, rtol=1e-14)
    np.testing.assert_allclose(adjoint.grad(x)[1], grad, rtol=1e-13)
    np.testing.assert_allclose(adjoint.grad_theta(x), grad_theta, rtol=1e-13, atol=1e-14)


# ---- the parts ----


def body_of(text):
    import ast

    return ast.parse(text).body


def test_what_follows_a_return_goes_into_the_branches_that_go_on():
    import ast

    body = body_of("if a:\n    return 1\nb = 2\nif c:\n    b = 3\nreturn b\nd = 4")
    assert ast.unparse(ast.Module(without_early_return(body), [])) == (
        "if a:\n    return 1\nelse:\n    b = 2\n    if c:\n        b = 3\n    return b"
    )
    body = body_of("if a:\n    b = 1\n    continue\nfor i in c:\n    continue\nd = 2")
    assert ast.unparse(ast.Module(without_continue(body), [])) == (
        "if a:\n    b = 1\nelse:\n    for i in c:\n        continue\n    d = 2"
    )
    body = body_of("a = 1\nfor i, (b, c) in d:\n    e[0] = 2\ndef f():\n    g = 3")
    assert assigned(body) == {"a", "i", "b", "c", "f"}


def test_lines_that_nobody_needs_are_left_out():
    code = [
        Line("a", "x[0]"), Line("b", "a * 2"), Line("c", "b + 1"), Line("v[0]", "a", array="v"),
        Loop("i", "range(n)", [Line("d", "d_before + a"), Line("unused", "d"), Line("e", "d", is_sum=True)]),
        Fork("a > b", [Line("f", "1.0")], [Line("g", "2.0")]),
    ]
    kept, live = needed(code, frozenset({"e"}))
    wanted = "    a = x[0]\n    for i in range(n):\n        d = d_before + a\n        e += d"
    assert "\n".join(written(kept)) == wanted
    assert live == {"x", "n", "d_before", "e", "range"}
    assert needed(code, frozenset()) == ([], frozenset())


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_nothing_remains_of_what_a_choice_has_dropped(bar, slope):
    found = rules.damped(bar, slope)
    assert found == 0.0 if vanishes(bar) else found == bar * slope or math.isnan(bar * slope)


def test_slopes_of_every_operation_stand_in_one_place():
    a, b = Operand("a", True), Operand("b", True)
    for text, operation, wanted in (
        ("a + b", "+", ["y_bar", "y_bar"]), ("a - b", "-", ["y_bar", "-y_bar"]),
        ("a * b", "*", ["y_bar * (b)", "y_bar * (a)"]), ("a / b", "/", ["y_bar * (1.0 / b)", "y_bar * (-y / b)"]),
    ):
        let = Let("y", text, operation, (a, b))
        assert [text for _, text in rules.slopes(let, "y_bar", is_guarded=False)] == wanted
    assert list(rules.slopes(Let("y", "max(a, a)", "floor", (a,)), "y_bar", is_guarded=False)) == [(a, "0.0")]


def test_names_are_never_taken_twice():
    scopes = Scopes("x", {})
    taken = [scopes.fresh(hint) for hint in ("a", "a", "x", "theta", "a_bar", "max", "energy", "a")]
    assert len(set(taken)) == len(taken)
    assert not set(taken) & {"x", "theta", "max", "energy", "a_bar"}
    array = Array("x", "x", ("3",))
    assert scopes.element(array, "0") == scopes.element(array, "0")  # loaded once
    assert len(scopes.top.statements) == 1


def test_nothing_is_kept_for_an_empty_block():
    plan = plan_of(Block())
    assert plan.kept == {}
    assert plan.undone == {}
