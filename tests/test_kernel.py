"""What every kernel has to have, and the types through which the engine calls it."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused
from numba import types

import fastebm as eb
from fastebm import kernels
from fastebm._compile import TILE, VECTOR, Compiled, compiled
from fastebm.kernels import (
    HMC,
    MALA,
    ULA,
    Annealing,
    Barker,
    Cycle,
    DelayedRejection,
    Gibbs,
    GibbsWithGradients,
    Kernel,
    MixtureOfKernels,
    ParallelTempering,
    RandomWalk,
    Slice,
    SpinFlip,
    Stretch,
    default_kernel,
)
from fastebm.kernels.descriptions import KERNELS, rebuild
from fastebm.kernels.discrete import DiscreteKernel
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, COUNTS, correlate, correlate_back, move, note
from fastebm.kernels.several import SeveralRules
from fastebm.kernels.tempered import TemperedKernel
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


COMPOUND = [kind for kind in EVERY if issubclass(kind, SeveralRules | TemperedKernel)]
STEPPING = [kind for kind in EVERY if kind not in COMPOUND and not issubclass(kind, DiscreteKernel | Stretch)]
SPINS = eb.energy(2, values=(-1, 1))(lambda x: 0.5 * x[0] * x[1])


@pytest.mark.parametrize("kind", STEPPING)
@pytest.mark.parametrize("dim", [1, 2, 10, 1000])
def test_what_every_kernel_of_steps_has(kind, dim):
    kernel = kind(0.5)
    assert isinstance(kernel.advance, Compiled)
    assert kernel.advance.signature == ADVANCE_SIGNATURE
    assert kernel.n_scratch(dim) >= dim
    assert kernel.n_memory(dim) >= 0
    if kernel.is_exact:
        assert kernel.first_step_size(dim) > 0.0
        assert 0.0 < kernel.target_acceptance(dim) < 1.0
    else:  # without rejections there is nothing to tune by
        refused(lambda: kernel.first_step_size(dim), kind.__name__, "eb.MALA()", kind=TypeError)
    settings = kernel.settings(0.5, np.arange(1.0, dim + 1.0))
    assert settings.dtype == np.float64
    assert settings.flags.c_contiguous
    assert settings.flags.writeable
    assert kind.__name__ in repr(kernel)


@pytest.mark.parametrize("dim", [1, 2, 10, 1000])
def test_what_a_kernel_has_that_takes_its_scale_from_other_chains(dim):
    kernel = Stretch()
    assert kernel.advance.signature == ADVANCE_SIGNATURE
    assert kernel.step_size == 1.0
    refused(lambda: kernel.first_step_size(dim), "Stretch", "no step size", kind=TypeError)
    for scale in (np.ones(dim), np.eye(dim)):
        assert kernel.settings(1.0, scale).tolist() == [2.0, kernel.n_coupled(dim)]
    assert all(kind(0.5).n_coupled(dim) == 1 for kind in STEPPING)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if issubclass(kind, DiscreteKernel)])
def test_what_every_discrete_kernel_has(kind):
    kernel = kind()
    assert kernel.advance.signature == ADVANCE_SIGNATURE
    refused(lambda: kernel.settings(1.0, np.ones(2)), "on(energy)", kind=TypeError)
    refused(lambda: kernel.on(eb.Gaussian([0.0])), kind.__name__, "real x", "eb.RandomWalk()")
    refused(lambda: kernel.first_step_size(2), kind.__name__, "no step size", kind=TypeError)
    refused(lambda: kernel.target_acceptance(2), kind.__name__, "no step size", kind=TypeError)
    bound = kernel.on(SPINS)
    assert kernel.values is None
    assert bound.settings(1.0, np.ones(2))[:2].tolist() == [-1.0, 1.0]
    assert bound.n_scratch(5) >= 5
    assert kind.__name__ in repr(bound)


@pytest.mark.parametrize("kernel", [
    RandomWalk(), RandomWalk([0.5, 2.0], proposal="student", df=3), MALA(metric="dense"), ULA(0.1), Barker(0.3),
    DelayedRejection(), DelayedRejection([0.5, 2.0], 0.3, metric="dense"),
    HMC(0.2, 7, jitter=0.1), HMC(n_leapfrog=None), Gibbs(), Gibbs([0, 1, 0]), GibbsWithGradients(), SpinFlip(),
    Cycle([RandomWalk(), MALA(0.2)]), MixtureOfKernels([Gibbs(), Cycle([SpinFlip()])], [1.0, 3.0]),
    ParallelTempering(MALA(), 5, hottest=0.1), ParallelTempering(betas=[0.5, 1.0]), Annealing(Gibbs(), hottest=0.5),
    Slice([0.5, 2.0]), Slice(prior=eb.Gaussian([0.1, 0.2], [[2.0, 0.3], [0.3, 1.0]])),
    Stretch(), Stretch(3.0, group_size=8),
], ids=repr)
def test_kernels_are_rebuilt_from_their_descriptions(kernel):
    described = json.loads(json.dumps(kernel.describe()))
    twin = rebuild(described)
    assert type(twin) is type(kernel)
    assert twin.describe() == described
    assert repr(twin) == repr(kernel)


def test_an_unknown_kernel_is_named():
    refused(lambda: rebuild({"type": "Nuts"}), "'Nuts'", "upgrade")


def test_all_kernels_are_among_them():
    assert {
        RandomWalk, DelayedRejection, MALA, ULA, Barker, HMC, Gibbs, GibbsWithGradients, SpinFlip, Cycle,
        MixtureOfKernels, ParallelTempering, Annealing, Slice, Stretch,
    } == set(EVERY) == set(KERNELS.values())


def test_discrete_energies_have_another_default():
    assert type(default_kernel(SPINS)) is Gibbs
    assert type(default_kernel(eb.Gaussian([0.0]))) is RandomWalk
    assert set(np.unique(eb.sample(SPINS, n_chains=4, n_draws=5, n_warmup=0, rng=1).draws)) <= {-1.0, 1.0}


@pytest.mark.parametrize("seed", range(5))
def test_products_with_triangular_matrices(seed):
    """L y and L^T y in place, against NumPy."""
    generator = np.random.default_rng(seed)
    dim = seed + 1
    root = np.tril(generator.standard_normal((dim, dim)))
    y, out = generator.standard_normal((2, dim, LANES))
    wanted, wanted_back = root @ y, root.T @ y
    products(np.ravel(root), y, out)
    np.testing.assert_allclose(out, wanted_back, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(y, wanted, rtol=1e-13, atol=1e-13)


@compiled(types.void(VECTOR, TILE, TILE))
def products(root, y, out):
    correlate_back(root, y, out, 0)
    correlate(root, y, 0)


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
