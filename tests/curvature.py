"""What holds for second derivatives of every energy."""

import numpy as np

EPS = np.finfo(float).eps


def curves_as_its_slopes_change(E, X, step=1e-3):
    """`hvp` is the change of `grad`, `hessian` is made of it and symmetric, `laplacian` is its trace.

    A central difference errs by truncation, three times which is what it changes by at twice the step, and by the
    rounding of slopes over the step.
    """
    V = np.random.default_rng(3).standard_normal(X.shape)
    H, got = E.hessian(X), E.hvp(X, V)
    near, far = (
        (E.grad(X + h * V) - E.grad(X - h * V)) / (2.0 * h) for h in (step, 2.0 * step)
    )
    size = np.abs(H).max(axis=(1, 2))
    rounding = 1e3 * EPS * (np.abs(E.grad(X)).max(axis=1) / step + size * (1.0 + np.abs(X).max(axis=1) / step))
    allowed = np.abs(far - near).max(axis=1) + rounding
    assert (allowed < 1e-3 * (1.0 + size)).all()
    assert (np.abs(got - near).max(axis=1) <= allowed).all()
    exactly = 1e-12 * (1.0 + size + np.abs(E.grad(X)).max(axis=1) ** 2)
    assert (np.abs(H - H.transpose(0, 2, 1)).max(axis=(1, 2)) <= exactly).all()
    assert (np.abs(got - np.einsum("nij,nj->ni", H, V)).max(axis=1) <= 10.0 * exactly).all()
    assert (np.abs(E.laplacian(X) - np.trace(H, axis1=1, axis2=2)) <= X.shape[1] * exactly).all()
    assert (E.hvp(X[0], V[0]) == got[0]).all()
