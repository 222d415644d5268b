"""Arrays that a function closes over travel as data: new numbers compile nothing, old ones stay, every kind works."""

import types as python_types

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastebm as eb
from fastebm.energies import closures, sources

X = np.random.default_rng(3).standard_normal((21, 2))


def regression(rows, labels, scale):
    def score(row, x):
        return scale * (rows[row, 0] * x[0] + rows[row, 1] * x[1])

    @eb.energy(dim=2, theta={"bias": 0.5})
    def loss(x, theta):
        total = 0.0
        for row in range(rows.shape[0]):
            margin = score(row, x) + theta.bias
            total += np.logaddexp(0.0, -margin if labels[row] > 0 else margin)
        return total

    return loss


def losses(rows, labels, scale):
    margins = scale * (X @ rows.T) + 0.5
    return np.logaddexp(0.0, np.where(labels > 0, -margins, margins)).sum(axis=1)


class TestNewNumbers:
    def test_compile_nothing_and_are_used(self, compilations):
        generator = np.random.default_rng(0)
        for turn in range(3):
            rows, labels = generator.standard_normal((7, 2)), generator.integers(0, 2, 7)
            loss = regression(rows, labels, 1.5)
            np.testing.assert_allclose(loss.energy(X), losses(rows, labels, 1.5), rtol=1e-13)
            slopes = loss.grad(X)
            step = 1e-6 * np.array([1.0, 0.0])
            differences = (loss.energy(X + step) - loss.energy(X - step)) / 2e-6
            np.testing.assert_allclose(slopes[:, 0], differences, rtol=1e-6, atol=1e-7)
            loss.grad_theta(X)
            if turn:
                assert compilations() == 0
            compilations()

    def test_of_another_shape_are_compiled(self, compilations, monkeypatch, tmp_path):
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # nothing is there from other runs
        for n in (3, 4):
            compilations()
            rows, labels = np.ones((n, 2)), np.arange(n) % 2
            np.testing.assert_allclose(regression(rows, labels, 1.25).energy(X), losses(rows, labels, 1.25), rtol=1e-13)
        assert compilations() == 1

    def test_later_changes_change_nothing(self):
        rows, labels = np.ones((3, 2)), np.array([0, 1, 1])
        loss = regression(rows, labels, 1.0)
        before = loss.energy(X)
        rows[:] = 99.0
        labels[:] = 0
        np.testing.assert_array_equal(loss.energy(X), before)

    def test_are_told_apart_in_files(self, tmp_path):
        labels = np.array([0, 1, 1])
        loss, other = (regression(np.full((3, 2), value), labels, 1.0) for value in (1.0, 2.0))
        assert loss.source != other.source
        loss.save(tmp_path / "loss.npz")
        with pytest.raises(ValueError, match="source"):
            eb.load(tmp_path / "loss.npz", other)


@settings(max_examples=12)
@given(
    dtype=st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i1", "u1", "u4", "?", ">f8", ">i4"]),
    shape=hnp.array_shapes(max_dims=3, max_side=3), seed=st.integers(0, 2**32),
)
def test_every_kind_of_array(dtype, shape, seed):
    values = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    for array in (values, values.T, values[::-1]):
        made = eb.energy(dim=1)(ends_of(array))
        ends = float(array[(0,) * array.ndim]), float(array[(-1,) * array.ndim])
        assert made.energy([2.0]) == 2.0 * ends[0] + 3.0 * ends[1] + array.shape[0]
        assert made.packed.size == array.size


def ends_of(array):
    return {
        1: lambda x: array[0] * x[0] + 3.0 * array[-1] + len(array),
        2: lambda x: array[0, 0] * x[0] + 3.0 * array[-1, -1] + array.shape[0],
        3: lambda x: array[0, 0, 0] * x[0] + 3.0 * array[-1, -1, -1] + array.shape[0],
    }[array.ndim]


def test_integers_keep_their_bits():
    large = np.array([2**53 + 1, -(2**62) - 1, 3])
    counts = eb.energy(dim=1)(lambda x: x[0] + (large[0] - 2**53) + (large[1] + 2**62) + large[2 * (large[2] - 3)] % 2)
    assert counts.energy([0.0]) == 1.0


def test_an_array_of_several_names_and_functions_is_packed_once():
    weights = np.array([1.0, 2.0])
    alias = weights

    def helper(a):
        return weights[0] * a

    both = eb.energy(dim=1)(lambda x: helper(x[0]) + alias[1] + weights[1])
    assert both.packed.tolist() == [1.0, 2.0]
    assert both.energy([3.0]) == 7.0


def test_two_functions_on_a_line_and_helpers_of_helpers():
    a, b = np.array([2.0]), np.array([5.0])
    first, second = eb.energy(dim=1)(lambda x: a[0] * x[0]), eb.energy(dim=1)(lambda x: b[0] * x[0])
    assert (first.energy([1.0]), second.energy([1.0])) == (2.0, 5.0)

    def inner(u):
        return b[0] * u

    def outer(u: "unknown", v: float = 1.0) -> "unknown":  # noqa: F821 (annotations are not looked at)
        return inner(u) + v

    nested = eb.energy(dim=1)(lambda x: outer(x[0]) + outer(x[0], v=a[0]))
    assert nested.packed.tolist() in ([5.0, 2.0], [2.0, 5.0])
    assert nested.energy([1.0]) == 13.0


def test_arrays_and_helpers_of_modules():
    module = python_types.ModuleType("measurements")
    exec("import numpy as np\nvalues = np.array([1.0, 4.0])\ndef second(u):\n    return values[1] * u", module.__dict__)
    of_module = eb.energy(dim=1)(lambda x: module.values[0] + module.second(x[0]))
    assert of_module.energy([1.0]) == 5.0


@pytest.mark.parametrize("text", [
    "def f(x):\n    return data[1] * x[0]",  # source that cannot be read
    "f = lambda x: data[1] * x[0]",
])
def test_without_a_source_the_numbers_are_compiled_in(text):
    for value in (2.0, 3.0):
        scope = {"data": np.array([1.0, value])}
        exec(text, scope)
        one = eb.energy(dim=1)(scope["f"])
        assert one.energy([2.0]) == 2.0 * value
        assert one.packed.size == 0


def test_what_cannot_be_followed_is_right_all_the_same():
    data = np.array([1.0, 2.0])

    def helper(u):
        return data[1] * u

    def handed_on(x):
        apply = helper
        return apply(x[0])

    def hidden(x):
        total = 0.0
        for value in [data * x[0] for data in (1.0, 2.0)]:
            total += value
        return total + data[0]

    assert eb.energy(dim=1)(handed_on).energy([3.0]) == 6.0
    assert eb.energy(dim=1)(hidden).energy([3.0]) == 10.0


def test_a_function_without_arrays_stays_itself():
    frozen = sources.freeze(lambda x: 2.0 * x[0])
    (same,), data = closures.lifted([frozen])
    assert same is frozen
    assert data.packed().size == 0


def test_errors_name_the_users_line():
    data = np.array([1.0])
    wrong = eb.energy(dim=1)(lambda x: data[0] * x[0:1][0])
    with pytest.raises(eb.EnergyCompileError, match=r"test_closures.py, line \d+ \(wrong = "):
        wrong.energy([1.0])


class TestNamesThatTheRewritingUses:
    """A user may have them too; the arrays are then part of the machine code."""

    def test_a_local_one(self):
        scale = np.array([2.0, 3.0])

        @eb.energy(dim=2)
        def bowl(x):
            data_ = scale[0] * x[0]
            return data_ * scale[1] + x[1]

        np.testing.assert_allclose(bowl.energy(X), 6.0 * X[:, 0] + X[:, 1], rtol=1e-14, atol=1e-14)

    def test_those_of_arrays_numbers_and_helpers(self):
        data_, helper_0_, scale = np.array([2.0, 3.0]), 5.0, np.array([7.0])

        def scaled(a):
            return a * scale[0]

        @eb.energy(dim=2)
        def bowl(x):
            return data_[1] * x[0] + helper_0_ * scaled(x[1])

        np.testing.assert_allclose(bowl.energy(X), 3.0 * X[:, 0] + 35.0 * X[:, 1], rtol=1e-14, atol=1e-13)
