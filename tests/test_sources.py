"""A frozen function owns what it refers to, and digests tell apart what gives different numbers, and only that."""

import math
import subprocess
import sys
import types
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastebm.energies import sources

WEIGHTS = np.array([1.0, 2.0])
FACTOR = 2.0


def helper(a):
    return FACTOR * a


def uses_all(x):
    return helper(x[0]) + WEIGHTS[1] + math.sqrt(4.0)


def made(value, kind=lambda value: lambda x: x[0] * value):
    return kind(value)


def digests(function):
    frozen = [sources.freeze(function)]
    return sources.fingerprint(frozen), sources.source_digest(frozen)


class TestFreeze:
    def test_values_of_names_are_those_of_the_definition(self, monkeypatch):
        frozen = sources.freeze(uses_all)
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", 100.0)
        monkeypatch.setattr(sys.modules[__name__], "WEIGHTS", 50.0 * WEIGHTS)
        assert uses_all([3.0]) == 402.0
        assert frozen([3.0]) == 10.0
        assert numba.njit(frozen)(np.array([3.0])) == 10.0

    def test_closures_keep_their_cells(self):
        weights = np.array([5.0])
        frozen = sources.freeze(lambda x: weights[0] * x[0])
        weights[0] = 0.0
        assert frozen([2.0]) == 10.0

    def test_defaults_stay(self):
        assert sources.freeze(lambda x, k=3.0: k * x)(2.0) == 6.0

    def test_helpers_that_call_each_other_are_copied_once(self):
        def outer(x):
            return inner(x) + other(x)

        def inner(x):
            return other(x) + 1.0

        def other(x):
            return 2.0 * x

        frozen = sources.freeze(outer)
        assert numba.njit(frozen)(1.0) == 5.0

    def test_modules_of_the_users_own_are_copied_as_far_as_they_are_used(self):
        module = types.ModuleType("settings")
        module.k, module.unused, module.helper = 3.0, object(), helper
        module.inner = types.ModuleType("settings.inner")
        module.inner.w = np.array([1.0])
        module.inner.settings = module  # modules often lead back to each other

        def f(x):
            return module.k * x[0] + module.inner.w[0] + module.helper(x[0])

        before, source = digests(f)
        frozen = sources.freeze(f)
        module.k = 100.0
        module.inner.w[0] = 100.0
        assert numba.njit(frozen)(np.array([2.0])) == 11.0
        assert before is not None
        assert digests(f)[0] != before
        assert digests(f)[1] != source

    def test_what_is_no_function_is_refused(self):
        with pytest.raises(TypeError, match="pass a plain Python function"):
            sources.freeze(math.sin)


class TestDigests:
    @given(hnp.arrays(np.float64, st.integers(0, 3)), hnp.arrays(np.float64, st.integers(0, 3)))
    def test_data(self, a, b):
        equal = a.shape == b.shape and a.tobytes() == b.tobytes()
        for one, other in zip(digests(made(a)), digests(made(b)), strict=True):
            assert (one == other) == equal

    @pytest.mark.parametrize(("one", "other"), [
        (1, 1.0), (1, True), (0.0, -0.0), (1.0, np.float32(1.0)), ((1, 2), (1, 2, 3)), ((1, (2,)), ((1, 2),)),
        (np.zeros(2), np.zeros(2, int)), (np.zeros((1, 2)), np.zeros((2, 1))), ("a", b"a"), (None, 0),
        (helper, made(1.0)), (np.sin, np.cos), (math.sin, math.cos), (math, np),
    ])
    def test_values_that_print_alike(self, one, other):
        first, second = digests(made(one)), digests(made(other))
        assert None not in (*first, *second)
        assert first[0] != second[0]
        assert first[1] != second[1]
        assert first == digests(made(one))

    def test_helpers_count_and_names_of_files_do_not(self):
        code = "def helper(a):\n    return {k} * a\n\ndef f(x):\n    return helper(x[0])\n"

        def build(k, name):
            scope = {}
            exec(compile(code.format(k=k), name, "exec"), scope)
            return digests(scope["f"])

        assert build(2.0, "one.py") == build(2.0, "two.py")
        assert build(2.0, "one.py")[0] != build(3.0, "one.py")[0]
        assert build(2.0, "one.py")[1] != build(3.0, "one.py")[1]

    def test_a_global_that_is_only_the_name_of_an_attribute_does_not_count(self, monkeypatch):
        """theta.W is no use of a global W, which in a notebook may be anything."""
        def f(x, theta):
            return theta.SOMETHING * x[0]

        before = digests(f)
        monkeypatch.setattr(sys.modules[__name__], "SOMETHING", object(), raising=False)
        assert digests(f) == before

    def test_comments_and_layout_are_no_part_of_the_source(self, tmp_path, monkeypatch):
        texts = {
            "plain": "def f(x):\n    return x[0] + 1.0\n",
            "airy": "def f( x ):\n    # a comment\n\n    return x[0]+1.0  # another\n",
            "other": "def f(x):\n    return x[0] + 2.0\n",
        }
        found = {}
        for name, text in texts.items():
            (tmp_path / f"sources_{name}.py").write_text(text)
            monkeypatch.syspath_prepend(tmp_path)
            found[name] = digests(__import__(f"sources_{name}").f)[1]
        assert found["plain"] == found["airy"] != found["other"]

    def test_what_has_no_stable_name_is_not_kept(self):
        assert digests(made(object())) == (None, None)
        assert digests(made([1.0])) == (None, None)
        assert digests(made((1.0, object()))) == (None, None)
        assert digests(made(np.array([None])))[0] is None

    def test_functions_that_refer_to_each_other_have_an_end(self):
        scope = {}
        exec("def f(x):\n    return g(x) if x > 0 else 0.0\ndef g(x):\n    return f(x - 1.0)\n", scope)
        assert None not in digests(scope["f"])

    def test_another_process_finds_the_same(self):
        script = "from test_sources import *\nprint(*digests(uses_all), *digests(made(WEIGHTS)))\n"
        command = [sys.executable, "-c", script]
        seen = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent).stdout
        assert seen.split() == [*digests(uses_all), *digests(made(WEIGHTS))]
