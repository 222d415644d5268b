"""What every kernel has to have, and the types through which the engine calls it."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused
from numba import types

from fastebm import kernels
from fastebm._compile import TILE, VECTOR, Compiled, compiled
from fastebm.kernels import MALA, ULA, Kernel, RandomWalk
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, COUNTS, move, note
from fastebm.lanes.lane import load_row
from fastebm.tiles import LANES

KINDS = [kind for kind in vars(kernels).values() if inspect.isclass(kind) and issubclass(kind, Kernel)]
EVERY = [kind for kind in KINDS if kind is not Kernel]


def test_the_class_itself_is_no_rule():
    with pytest.raises(TypeError, match="abstract"):
        Kernel()


def test_a_kernel_that_lacks_something_is_found_when_it_is_made():
    class Idle(Kernel):
        step_size = 1.0

    with pytest.raises(TypeError, match="advance"):
        Idle()


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("dim", [1, 2, 10, 1000])
def test_what_every_kernel_has(kind, dim):
    kernel = kind(step_size=0.5)
    assert isinstance(kernel.advance, Compiled)
    assert kernel.advance.signature == ADVANCE_SIGNATURE
    assert kernel.n_scratch(dim) >= dim
    if kernel.is_exact:
        assert kernel.first_step_size(dim) > 0.0
        assert 0.0 < kernel.target_acceptance(dim) < 1.0
    else:  # without rejections there is nothing to tune by
        refused(lambda: kernel.first_step_size(dim), kind.__name__, "eb.MALA()", kind=TypeError)
    settings = kernel.settings(0.5, np.arange(1.0, dim + 1.0))
    assert settings.dtype == np.float64
    assert settings.flags.c_contiguous
    assert settings.flags.writeable
    assert kernel.describe()["type"] == kind.__name__
    assert kind.__name__ in repr(kernel)


def test_all_kernels_are_among_them():
    assert {RandomWalk, MALA, ULA} == set(EVERY)


@compiled(types.void(VECTOR, VECTOR, TILE, TILE, VECTOR, VECTOR, COUNTS, COUNTS, TILE, VECTOR))
def settle(accepted, is_number, x, y, e, e_y, n_accepted, n_faults, fault_x, row):
    for l in range(0, x.shape[1], LANES):
        taken, known = load_row(accepted, l) > 0.0, load_row(is_number, l) > 0.0
        note(taken, known, l, e, e_y, y, n_accepted, n_faults, fault_x, row)
        move(taken, l, x, y)


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 3), st.floats(0.0, 1.0))
def test_what_becomes_of_proposals_chain_by_chain(seed, dim, n_lanes, share):
    generator = np.random.default_rng(seed)
    width = n_lanes * LANES
    x, y, fault_x = generator.standard_normal((3, dim, width))
    e, e_y, row = generator.standard_normal((3, width))
    accepted, is_number = (generator.random((2, width)) < share).astype(float)
    n_accepted, n_faults = generator.integers(0, 9, (2, width))
    wanted = [one.copy() for one in (x, e, n_accepted, n_faults, fault_x)]
    for c in range(width):
        if accepted[c]:
            wanted[0][:, c], wanted[1][c] = y[:, c], e_y[c]
            wanted[2][c] += 1
        if not is_number[c]:
            wanted[3][c] += 1
            wanted[4][:, c] = y[:, c]
    settle(accepted, is_number, x, y, e, e_y, n_accepted, n_faults, fault_x, row)
    assert all(map(np.array_equal, (x, e, n_accepted, n_faults, fault_x), wanted))
