"""What cannot be compiled of a user's function is one sentence with its place."""

import numba
import numpy as np
import pytest
from messages import refused

from fastebm import EnergyCompileError, energy
from fastebm._compile import Compiled


class Thing:
    pass


thing = Thing()


def assigns(x):
    h = np.zeros(1)
    h[0] = x[0]
    return h[0]


def unknown_method(x):
    return x.median()


def uses_object(x):
    return x[0] if thing else 0.0


def generator(x):
    return sum(a * a for a in x)


def forgets(x):
    if x[0] < 1e9:
        return x[0]


class TestErrors:
    @pytest.mark.parametrize(("function", "face", "line", "words"), [
        (uses_object, "energy", 1, ["'thing'"]),
        (generator, "energy", 1, ["unsupported"]),
        (forgets, "energy", 0, ["not one number"]),
        (assigns, "grad", 2, ["'setitem'", "grad= written by hand"]),
    ])
    def test_what_cannot_be_compiled_is_one_sentence_with_its_place(self, function, face, line, words):
        made = energy(1)(function)
        line += function.__code__.co_firstlineno
        with pytest.raises(EnergyCompileError) as caught:
            getattr(made, face)([0.5])
        message = str(caught.value)
        assert all(word in message for word in [*words, function.__name__, __file__]), message
        assert f"line {line}" in message, message
        assert "\n" not in message
        assert len(message.replace(__file__, "")) < 400
        assert message.endswith(".")

    def test_what_fails_in_plain_python_is_told_before_anything_is_compiled(self, compilations):
        message = refused(lambda: energy(1)(unknown_method), "unknown_method", __file__, "median",
                          f"line {unknown_method.__code__.co_firstlineno + 1}", kind=EnergyCompileError)
        assert "AttributeError" in message
        assert compilations() == 0

    def test_faults_of_the_library_itself_are_not_blamed_on_a_user(self):
        with pytest.raises(numba.core.errors.NumbaError):
            Compiled(lambda: lambda x: x.nothing, numba.float64(numba.float64), None, "the function")(1.0)
