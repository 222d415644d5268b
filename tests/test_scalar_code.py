"""The loops around a user's function: parameters under their names, numbers of any type, one slope after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core import errors

import fastebm as eb
from fastebm.energies.scalar_code import ScalarCode

SHAPES = {"a": (), "b": (2,), "c": (2, 3), "d": (1, 1, 2), "e": ()}
SIZES = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
THETA = {name: np.zeros(shape) for name, shape in SHAPES.items()}


@eb.energy(dim=1, theta=THETA)
def polynomial(x, theta):
    """Every parameter with another weight, so that a mistaken place shows."""
    total = theta.a + 1000.0 * theta.e * x[0]
    for i in range(2):
        total += (2.0 + i) * theta.b[i] * x[0] + (20.0 + i) * theta.d[0, 0, i] * x[0] ** 2
        for j in range(3):
            total += (100.0 + 10 * i + j) * theta.c[i, j] ** 2
    return total


@given(st.floats(-3, 3), st.lists(st.floats(-3, 3), min_size=12, max_size=12))
def test_parameters_stand_under_their_names(x, theta):
    E = polynomial.with_theta(theta)
    p = E.unpack()
    assert {name: np.shape(value) for name, value in p.items()} == SHAPES
    i, ij = np.arange(2), 10.0 * np.arange(2)[:, None] + np.arange(3)
    wanted = (p["a"] + 1000.0 * p["e"] * x + ((2.0 + i) * p["b"] * x + (20.0 + i) * p["d"][0, 0] * x**2).sum()
              + ((100.0 + ij) * p["c"] ** 2).sum())
    assert E.energy([x]) == pytest.approx(wanted, rel=1e-11, abs=1e-9)
    slopes = [[1.0], (2.0 + i) * x, ((200.0 + 2.0 * ij) * p["c"]).ravel(), (20.0 + i) * x**2, [1000.0 * x]]
    np.testing.assert_allclose(E.grad_theta([x]), np.concatenate(slopes), rtol=1e-12, atol=1e-300)
    slope = 1000.0 * p["e"] + ((2.0 + i) * p["b"] + 2.0 * (20.0 + i) * p["d"][0, 0] * x).sum()
    np.testing.assert_allclose(E.grad([x]), [slope], rtol=1e-11, atol=1e-9)


def test_the_makers_give_plain_functions():
    """What a maker returns is not compiled yet; the function itself is compiled for floats and for duals alike."""
    code = ScalarCode(lambda x, theta: theta.k * x[0], 1, {"k": ()}, {}, takes_theta=True)
    assert code.n_params == 1
    for make in (code.energy, code.dual_grad, code.dual_grad_theta):
        assert callable(make())
        assert not hasattr(make(), "py_func")


@pytest.mark.parametrize(("function", "words"), [
    (lambda x: x, "an array of 1 dimension"), (lambda x: None, "nothing"), (lambda x: (x[0], 1.0), "of type"),
])
def test_other_results_do_not_compile(function, words):
    import numba

    from fastebm._compile import ENERGY_SIGNATURE

    maker = ScalarCode(function, 1, {}, {}, takes_theta=False)
    with pytest.raises(errors.NumbaError, match=words):
        numba.njit(ENERGY_SIGNATURE)(maker.energy())
