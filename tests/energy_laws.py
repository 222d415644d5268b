"""What holds for every energy, as functions that the test files of the energies call."""

from collections.abc import Callable

import numpy as np
from written_energies import exact

import fastebm as eb
from fastebm import tiles
from fastebm.energies import programs


def same(a: object, b: object) -> bool:
    """Equal bits, where nan is equal to nan."""
    return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))


def agrees_with_its_source(E: eb.Energy, function: Callable[..., object], X: np.ndarray, rtol: float = 1e-12) -> None:
    """Values and slopes of E are those of `function` in exact arithmetic; errors count against the largest slope."""
    for x in X:
        value, slope, slope_theta = exact(function, x, E.unpack())
        for got, wanted in ((E.energy(x), value), (E.grad(x), slope), (E.grad_theta(x), slope_theta)):
            size = 1.0 + np.max(np.abs(wanted), initial=0.0)
            np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * size)


def company_changes_nothing(E: eb.Energy, X: np.ndarray) -> None:
    """A point alone, among others and at another place of a tile has the same bits, in all three faces."""
    for face in (E.energy, E.grad, E.grad_theta):
        together = face(X)
        assert same(together, [face(x) for x in X])
        assert same(together[3:], face(X[3:]))
        assert same(together[::-1], face(X[::-1]))


def threads_change_nothing(E: eb.Energy, X: np.ndarray, monkeypatch) -> None:
    """The same bits for 1, 2, 3 and 7 threads, also in the sums over points."""
    weights = np.linspace(0.5, 1.5, len(X))
    results = []
    with monkeypatch.context() as patch:
        patch.setattr(programs, "_PARALLEL_FROM", 1)
        for n_threads in (1, 2, 3, 7):
            patch.setattr(tiles, "threads", lambda _, n=n_threads: n)
            results.append((E.energy(X), E.grad(X), E.grad_theta(X), E.mean_grad_theta(X, weights)))
    for other in results[1:]:
        assert all(same(a, b) for a, b in zip(results[0], other, strict=True))


def shapes_are_right(E: eb.Energy, n: int = 5) -> None:
    """Shapes and types for many points, one point and none, whatever layout they come in."""
    X = np.random.default_rng(0).standard_normal((n, E.dim))
    assert E.energy(X).shape == (n,)
    assert type(E.energy(X[0])) is float
    for face, width in ((E.grad, E.dim), (E.grad_theta, E.n_params)):
        assert face(X).shape == (n, width)
        assert face(X[0]).shape == (width,)
        assert face(X[:0]).shape == (0, width)
    assert E.energy(X[:0]).shape == (0,)
    assert E.mean_grad_theta(X).shape == (E.n_params,)
    assert E.mean_grad_theta(X[0]).shape == (E.n_params,)
    frozen = X.copy()
    frozen.setflags(write=False)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    for face in (E.energy, E.grad, E.grad_theta, E.mean_grad_theta):
        wanted = face(X)
        for layout in (frozen, wide, np.asfortranarray(X), X.tolist(), X[::-1][::-1]):
            assert same(face(layout), wanted)
        assert same(face(X.astype(np.float32)), face(X.astype(np.float32).astype(float)))
        assert same(face(np.ones((2, E.dim), dtype=int)), face(np.ones((2, E.dim))))
    assert (np.random.default_rng(0).standard_normal((n, E.dim)) == X).all()


def sums_are_sums(E: eb.Energy, X: np.ndarray, weights: np.ndarray) -> None:
    """mean_grad_theta is the weighted mean of grad_theta."""
    rows = E.grad_theta(X)
    size = np.abs(rows).max(axis=0) + 1e-300
    np.testing.assert_allclose(E.mean_grad_theta(X) / size, rows.mean(axis=0) / size, atol=1e-13)
    wanted = weights @ rows / weights.sum()
    allowed = 1e-13 * np.abs(weights).sum() / abs(weights.sum())
    np.testing.assert_allclose(E.mean_grad_theta(X, weights) / size, wanted / size, atol=allowed)


def hostile_points_do_no_harm(E: eb.Energy) -> None:
    """Points with nan, infinities and huge or tiny numbers get an answer and leave their neighbours alone."""
    for hostile in (np.nan, np.inf, -np.inf, 1e308, -1e200, 1e-320, 0.0):
        X = np.random.default_rng(1).standard_normal((11, E.dim))
        clean = E.energy(X), E.grad(X)
        X[4, E.dim - 1] = hostile
        energy, grad = E.energy(X), E.grad(X)
        others = np.arange(11) != 4
        assert same(energy[others], clean[0][others])
        assert same(grad[others], clean[1][others])
        if np.isnan(hostile):
            assert not np.isfinite(energy[4])
        if np.isfinite(hostile) and abs(hostile) < 1.0:
            assert np.isfinite(energy[4])


def holds_what_every_energy_promises(E: eb.Energy, monkeypatch) -> None:
    generator = np.random.default_rng(2)
    X = generator.standard_normal((150, E.dim))
    shapes_are_right(E)
    company_changes_nothing(E, X[:71])
    threads_change_nothing(E, X, monkeypatch)
    sums_are_sums(E, X, generator.uniform(0.1, 1.0, len(X)))
    hostile_points_do_no_harm(E)
