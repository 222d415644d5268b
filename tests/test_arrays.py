"""Arrays of lanes: indices of every kind, loops over them, and nothing beyond their ends."""

import numpy as np
import pytest

import fastebm as eb

X = np.random.default_rng(4).standard_normal((37, 5))


def of(function, dim=5):
    return eb.energy(dim=dim)(function).energy(X[:, :dim])


def test_indices():
    third = 3
    picked = of(lambda x: x[0] + x[-1] * x[third] + x[-third])
    np.testing.assert_allclose(picked, X[:, 0] + X[:, 4] * X[:, 3] + X[:, 2], rtol=1e-13)


def test_loops():
    def every_way(x):
        total = 0.0
        for value in x:
            total += value
        for i, value in enumerate(x):
            total += i * value
        for first, second in zip(x, x):  # noqa: B905 (Numba knows no strict=)
            total += first * second
        for i in range(len(x) - 1, -1, -2):
            total += 3.0 * x[i]
        i = 0
        while i < len(x):
            total -= x[i]
            i += 1
        return total

    expected = X @ np.arange(5) + (X**2).sum(axis=1) + 3.0 * X[:, ::2].sum(axis=1)
    np.testing.assert_allclose(of(every_way), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("place", [0, 1, -1, -2, 2, 7, -3, -9, 2**40])
def test_an_index_that_is_wrong_for_new_data_gives_nan(place):
    places = np.array([0])
    picked = eb.energy(dim=2)(lambda x: x[places[0]])
    picked.energy(X[:, :2])
    picked.data[:] = np.array([place]).view(float)  # what data of the same shape would bring
    expected = X[:, place] if place in (0, 1) else X[:, place + 2] if place in (-1, -2) else np.full(37, np.nan)
    np.testing.assert_array_equal(picked.energy(X[:, :2]), expected)


def test_writing_beyond_the_ends_does_nothing():
    place = np.array([0])

    def writes(x):
        sums = eb.zeros(2, like=x)
        sums[place[0]] = x[0]
        sums[1] += 1.0
        return sums[0] + 10.0 * sums[1]

    written = eb.energy(dim=2)(writes)
    written.energy(X[:, :2])
    np.testing.assert_array_equal(written.energy(X[:, :2]), X[:, 0] + 10.0)
    written.data[:] = np.array([5]).view(float)
    np.testing.assert_array_equal(written.energy(X[:, :2]), np.full(37, 10.0))


@pytest.mark.parametrize("function", [lambda x: x[1:][0], lambda x: (x + 1.0)[0], lambda x: (x @ x), lambda x: x.sum()])
def test_x_as_a_whole_is_refused_with_a_loop_as_the_remedy(function):
    with pytest.raises(eb.EnergyCompileError, match=r"test_arrays.py, line \d+ .*loops over x\[i\]"):
        of(function)
