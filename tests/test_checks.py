"""Clean values pass unchanged; everything else is refused in one sentence that names the argument."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from messages import refused

from fastebm import _checks

reals = st.floats(allow_nan=False, allow_infinity=False)


class TestArray:
    @given(hnp.arrays(st.sampled_from([np.float64, np.float32, np.float16, np.int8, np.uint64, np.bool_]),
                      hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)))
    def test_any_real_numbers_become_doubles(self, values):
        checked = _checks.array(values, "X")
        assert checked.dtype == np.float64
        assert checked.shape == values.shape
        assert np.array_equal(checked, values.astype(float), equal_nan=True)

    @pytest.mark.parametrize("change", [
        lambda X: X[::-1], lambda X: X.T, lambda X: np.asfortranarray(X), lambda X: np.broadcast_to(X[0], X.shape),
        lambda X: X.astype(">f8"), lambda X: np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float64),
    ], ids=["reversed", "transposed", "fortran", "broadcast", "big-endian", "unaligned"])
    def test_any_layout_becomes_the_one_that_compiled_code_takes(self, change):
        given = change(np.arange(6.0).reshape(2, 3))
        checked = _checks.array(given, "X")
        flags = checked.flags
        assert flags.c_contiguous and flags.aligned and flags.writeable and checked.dtype.isnative  # noqa: PT018
        assert np.array_equal(checked, given)

    def test_read_only_input_is_copied_and_left_alone(self):
        frozen = np.ones((2, 2))
        frozen.setflags(write=False)
        checked = _checks.array(frozen, "X")
        checked[:] = 2.0
        assert (frozen == 1.0).all()

    @pytest.mark.parametrize(("values", "kind", "word"), [
        (["a", "b"], TypeError, "<U1"), ([1j], TypeError, "complex"), ([None], TypeError, "object"),
        (np.array("2020-01-01", "M8[D]"), TypeError, "datetime64"), ([[1.0, 2.0], [3.0]], ValueError, "lengths"),
    ])
    def test_other_things_are_refused(self, values, kind, word):
        refused(lambda: _checks.array(values, "weights"), "weights", word, kind=kind)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_finite_arrays_name_the_first_offender(self, bad):
        values = np.zeros((3, 2))
        values[1, 0] = bad
        refused(lambda: _checks.finite_array(values, "data"), "data[1, 0]", str(bad))
        refused(lambda: _checks.finite_array(bad, "scale"), "scale", str(bad))

    def test_shapes_are_compared(self):
        refused(lambda: _checks.finite_array(np.zeros(3), "mean", (2,)), "mean", "(3,)", "(2,)")


class TestPoints:
    @given(st.integers(0, 4), st.integers(1, 4))
    def test_rows_and_single_points(self, n, dim):
        rows, is_single = _checks.points(np.ones((n, dim)), dim)
        assert rows.shape == (n, dim)
        assert not is_single
        rows, is_single = _checks.points(np.ones(dim), dim)
        assert rows.shape == (1, dim)
        assert is_single

    @pytest.mark.parametrize("shape", [(), (3,), (3, 5), (2, 1, 2)])
    def test_other_shapes_are_refused_in_the_words_of_the_design(self, shape):
        message = refused(lambda: _checks.points(np.zeros(shape), 2), f"X has shape {shape}", "dim=2", "(n, 2)")
        assert message.count(".") == 1

    def test_data_are_finite_inside_the_domain_and_there(self):
        walls = np.array([[0.0, 1.0], [-np.inf, np.inf]])
        assert _checks.data([[0.0, 5.0], [1.0, -5.0]], 2, walls).shape == (2, 2)
        refused(lambda: _checks.data(np.zeros((0, 2)), 2), "no rows")
        refused(lambda: _checks.data([[0.0, np.nan]], 2), "data[0, 1]", "nan")
        refused(lambda: _checks.data([[0.0, 0.0], [1.5, 0.0]], 2, walls), "data[1]", "[1.5, 0.0]", "domain")


class TestNumbers:
    @given(st.integers(0, 10**12), st.integers(0, 5))
    def test_counts(self, value, minimum):
        if value >= minimum:
            assert _checks.count(np.int64(value), "n_chains", minimum) == value
        else:
            refused(lambda: _checks.count(value, "n_chains", minimum), f"n_chains is {value}", str(minimum))

    @pytest.mark.parametrize("bad", [-1, 0, 1.0, True, "3", None, np.array([1]), np.bool_(True)])
    def test_what_is_no_count(self, bad):
        with pytest.raises(ValueError, match=r"n_chains is .*; pass a whole number of at least 1"):
            _checks.count(bad, "n_chains")

    @given(reals)
    def test_numbers_of_any_kind(self, value):
        for same in (value, np.float64(value), Fraction(value)):
            assert _checks.real(same, "tilt") == value
            if value > 0.0:
                assert _checks.positive(same, "scale") == value
                if value < 1.0:
                    assert _checks.fraction(same, "share") == value

    @pytest.mark.parametrize("check", [_checks.real, _checks.positive, _checks.fraction])
    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, True, "1", None, 1j, [0.5], 10**400])
    def test_what_is_no_number(self, check, bad):
        with pytest.raises(ValueError, match=re.escape(f"tilt is {bad!r}; pass a")):
            check(bad, "tilt")

    def test_ends_are_outside(self):
        for bad in (0, 0.0, -1.0):
            refused(lambda bad=bad: _checks.positive(bad, "step_size"), f"step_size is {bad}")
        for bad in (0.0, 1.0):
            refused(lambda bad=bad: _checks.fraction(bad, "share"), f"share is {bad}")

    def test_choices(self):
        assert _checks.choice("auto", "method", ("auto", "closed")) == "auto"
        refused(lambda: _checks.choice("exact", "method", ("auto", "closed")), "'exact'", "'auto'", "'closed'")


class TestBox:
    def test_walls(self):
        assert _checks.box(None, 2) is None
        assert _checks.box([(-np.inf, np.inf)] * 2, 2) is None
        assert _checks.box([(0, np.inf), (1, 2)], 2).tolist() == [[0.0, np.inf], [1.0, 2.0]]

    @pytest.mark.parametrize("pair", [(1.0, 0.0), (1.0, 1.0), (np.nan, 1.0), (np.inf, np.inf)])
    def test_reversed_and_empty_ones_are_refused(self, pair):
        refused(lambda: _checks.box([(0, 1), pair], 2, "domain"), "domain[1]", "below")

    def test_another_number_of_walls_is_refused(self):
        refused(lambda: _checks.box([(0, 1)], 2), "bounds", "(1, 2)", "2 pairs")


class TestSeed:
    @given(st.integers(0, 2**128))
    def test_a_seed_stands_for_itself(self, seed):
        assert _checks.seed(seed) == seed

    @given(st.integers(0, 2**64))
    def test_every_kind_of_generator_gives_a_seed_that_gives_itself(self, entropy):
        kinds = (np.random.SeedSequence, np.random.PCG64, np.random.default_rng)
        for make in kinds:
            drawn = _checks.seed(make(entropy))
            assert drawn == _checks.seed(make(entropy)) == _checks.seed(drawn)
            assert type(drawn) is int

    def test_generators_move_on_and_none_is_new_each_time(self):
        generator = np.random.default_rng()
        assert len({_checks.seed(generator) for _ in range(4)} | {_checks.seed(None) for _ in range(4)}) == 8

    def test_what_is_no_generator(self):
        refused(lambda: _checks.seed(-1), "rng is -1")
        for bad in (True, 1.0, "seed", np.random.RandomState(0)):
            refused(lambda bad=bad: _checks.seed(bad), type(bad).__name__, kind=TypeError)
