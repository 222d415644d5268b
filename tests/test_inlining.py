"""Helpers that other compiled code takes in: they compute there, print there, and have no machine code of their own."""

import numba
import numpy as np
from numba import types

from fastebm._compile import compiled, inlined

DOUBLE = types.float64


@inlined
def cubed(x):
    return x * x * x


@inlined
def spoken(x):
    if x > 1.0:
        print("beyond one:", x)
    return cubed(x) + 1.0


@compiled(DOUBLE(DOUBLE))
def entry(x):
    return 2.0 * spoken(x)


@compiled(types.void(types.Array(DOUBLE, 1, "C")))
def entry_of_arrays(x):
    for i in range(len(x)):
        x[i] = spoken(x[i])


def test_they_compute_where_they_are_called():
    assert entry(0.5) == 2.0 * (0.5**3 + 1.0)
    x = np.array([0.0, -2.0, 0.25])
    entry_of_arrays(x)
    assert x.tolist() == [1.0, -7.0, 0.25**3 + 1.0]


def test_they_print_where_they_are_called(capfd):
    """Words are Python's objects, which the machine code that took a helper in has to be told of."""
    assert entry(3.0) == 56.0
    assert capfd.readouterr().out == "beyond one: 3.0\n"


def test_python_calls_what_was_written():
    assert cubed(3) == 27
    assert isinstance(cubed(3), int), "as no compiled function of doubles would"


def test_they_have_no_machine_code():
    entry(0.0)
    (helper,) = cubed.overloads.values()
    engine = numba.core.registry.cpu_target.target_context.codegen()._engine
    assert not engine.is_symbol_defined(helper.fndesc.llvm_func_name)
    outer = entry.pointer.get_compile_result(entry.signature)
    assert engine.is_symbol_defined(outer.fndesc.llvm_func_name)
