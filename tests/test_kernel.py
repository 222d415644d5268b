"""What every kernel has to have, and the types through which the engine calls it."""

import inspect

import numpy as np
import pytest

from fastebm import kernels
from fastebm._compile import Compiled
from fastebm.kernels import Kernel, RandomWalk
from fastebm.kernels.kernel import ADVANCE_SIGNATURE

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
    kernel = kind()
    assert isinstance(kernel.advance, Compiled)
    assert kernel.advance.signature == ADVANCE_SIGNATURE
    assert kernel.n_scratch(dim) >= dim
    assert kernel.first_step_size(dim) > 0.0
    assert 0.0 < kernel.target_acceptance(dim) < 1.0
    settings = kernel.settings(0.5, np.arange(1.0, dim + 1.0))
    assert settings.dtype == np.float64
    assert settings.flags.c_contiguous
    assert settings.flags.writeable
    assert kernel.describe()["type"] == kind.__name__
    assert kind.__name__ in repr(kernel)


def test_the_random_walk_is_among_them():
    assert [RandomWalk] == EVERY
