"""Samplers that tune themselves, ours and others', and their effective draws per second of CPU.

Every sampler has one thread, starts spread over a box, its own warm-up, and a first run in which it compiles.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastebm as eb
from benchmarks import peers
from benchmarks.cases import Case
from benchmarks.machine import package_version
from benchmarks.timing import Measure
from fastebm import diagnostics
from fastebm.kernels.kernel import Kernel

Array = NDArray[np.float64]
Draw = Callable[[int], Array]  # of a seed: draws (n_chains, n_draws, dim)

HALF_WIDTH = 2.0  # of the box of starts


@dataclass
class Sampler:
    """Somebody who draws, and what of it was seen.

    Attributes
    ----------
    name : as the table shows it, with the settings that were found to be the best.
    draw : one run, warm-up and all.
    means, errors, deviations : of the coordinates (dim,) in each measured run: their means, the Monte Carlo errors of
        these, their standard deviations.
    seconds : of CPU, of each measured run.
    """

    name: str
    draw: Draw
    means: list[Array] = field(default_factory=list)
    errors: list[Array] = field(default_factory=list)
    deviations: list[Array] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def measure(self, judge: Callable[[Array, float], float]) -> Measure:
        """What `judge` says of the draws and the seconds of CPU, of all threads, of runs of ever new seeds."""
        self.draw(0)  # compiles
        seed = 0

        def figure() -> float:
            nonlocal seed
            seed += 1
            began = time.process_time()
            draws = self.draw(seed)
            self.seconds.append(time.process_time() - began)
            self.see(draws)
            return judge(draws, self.seconds[-1])

        return figure

    def see(self, draws: Array) -> None:
        """Remember what a run says of the law."""
        self.means.append(draws.mean(axis=(0, 1)))
        self.deviations.append(draws.std(axis=(0, 1)))
        self.errors.append(diagnostics.mcse(draws) if draws.shape[1] > 3 else np.full(draws.shape[2], np.nan))


def effective_rate(draws: Array, seconds: float) -> float:
    """The smallest bulk ESS over the coordinates, per second."""
    return float(diagnostics.ess(draws).min()) / seconds


def distance(one: Sampler, other: Sampler) -> float:
    """The largest difference between means of two samplers over all their runs, in Monte Carlo errors."""
    means, squares = zip(*(
        (np.mean(sampler.means, axis=0), (np.square(sampler.errors) / len(sampler.errors) ** 2).sum(axis=0))
        for sampler in (one, other)
    ), strict=True)
    return float(np.max(np.abs(means[0] - means[1]) / np.sqrt(squares[0] + squares[1])))


def ours(energy: eb.Energy, kernel: Kernel, n_chains: int, n_warmup: int, n_draws: int, thin: int = 1) -> Sampler:
    """fastebm."""

    def draw(seed: int) -> Array:
        starts = np.random.default_rng(seed).uniform(-HALF_WIDTH, HALF_WIDTH, (n_chains, energy.dim))
        return eb.sample(
            energy, kernel, n_chains=n_chains, n_warmup=n_warmup, n_draws=n_draws, thin=thin, rng=seed, n_threads=1,
            init=starts, progress=False,
        ).draws

    return Sampler(_named(f"fastebm {kernel}", n_chains, n_warmup, n_draws), draw)


def nuts(
    case: Case, *, is_double: bool, n_chains: int, n_warmup: int, n_draws: int, acceptance: float = 0.8
) -> Sampler:
    """BlackJAX's NUTS, each chain with its own window adaptation, all in one compiled call."""
    jax = peers._jax()
    import blackjax

    def run(key: Any, x: Any, log_density: Any) -> Any:
        warm_key, key = jax.random.split(key)
        adaptation = blackjax.window_adaptation(blackjax.nuts, log_density, target_acceptance_rate=acceptance)
        (state, found), _ = adaptation.run(warm_key, x, n_warmup)
        step = blackjax.nuts(
            log_density, step_size=found["step_size"], inverse_mass_matrix=found["inverse_mass_matrix"]
        ).step

        def transition(state: Any, key: Any) -> tuple[Any, Any]:
            state, _ = step(key, state)
            return state, state.position

        return jax.lax.scan(transition, state, jax.random.split(key, n_draws))[1]

    def of_all(key: Any, starts: Any, log_density: Any) -> Any:
        return jax.vmap(lambda key, x: run(key, x, log_density))(jax.random.split(key, n_chains), starts)

    name = f"BlackJAX {package_version('blackjax')} NUTS, {_precision(is_double)}"
    return Sampler(_named(name, n_chains, n_warmup, n_draws), _jax_draw(case, is_double, n_chains, of_all))


def chees(
    case: Case, *, is_double: bool, n_chains: int, n_warmup: int, n_draws: int, acceptance: float = 0.651
) -> Sampler:
    """BlackJAX's HMC with step and path tuned over all chains by ChEES."""
    jax = peers._jax()
    import blackjax
    import optax

    def of_all(key: Any, starts: Any, log_density: Any) -> Any:
        warm_key, key = jax.random.split(key)
        adaptation = blackjax.chees_adaptation(
            log_density, n_chains, target_acceptance_rate=acceptance,
            adaptation_info_fn=blackjax.adaptation.base.get_filter_adapt_info_fn(),
        )
        (states, found), _ = adaptation.run(warm_key, starts, 0.01, optax.adam(0.05), n_warmup)
        step = jax.vmap(blackjax.dynamic_hmc(log_density, **found).step)

        def transition(states: Any, key: Any) -> tuple[Any, Any]:
            states, _ = step(jax.random.split(key, n_chains), states)
            return states, states.position

        return jax.numpy.swapaxes(jax.lax.scan(transition, states, jax.random.split(key, n_draws))[1], 0, 1)

    name = f"BlackJAX {package_version('blackjax')} ChEES-HMC, {_precision(is_double)}"
    return Sampler(_named(name, n_chains, n_warmup, n_draws), _jax_draw(case, is_double, n_chains, of_all))


def tempered(case: Case, *, n_particles: int, n_moves: int, width: float) -> Sampler:
    """BlackJAX's adaptive tempered SMC, float64: particles from a normal of s.d. `width`, moved by random walks.

    The particles are one draw of each of as many chains, which come from common ancestors.
    """
    jax = peers._jax()
    jnp = jax.numpy
    import blackjax
    from blackjax.smc import extend_params, resampling

    def run(key: Any, particles: Any, *parameters: Any) -> Any:
        def log_prior(x: Any) -> Any:
            return -0.5 * jnp.sum(x**2) / width**2

        walk = blackjax.additive_step_random_walk
        kernel = walk.build_kernel()
        smc = blackjax.adaptive_tempered_smc(
            log_prior, lambda x: -case.of_one(jnp, x, *parameters) - log_prior(x),
            lambda key, state, log_density, scale: kernel(
                key, state, log_density, lambda key, x: scale * jax.random.normal(key, x.shape)
            ),
            walk.init, extend_params({"scale": jnp.asarray(1.5)}), resampling.systematic, 0.5,
            num_mcmc_steps=n_moves,
        )

        def stage(carried: Any) -> Any:
            state, key = carried
            key, now = jax.random.split(key)
            return smc.step(now, state)[0], key

        state, _ = jax.lax.while_loop(
            lambda carried: carried[0].tempering_param < 1.0, stage, (smc.init(particles), key)
        )
        return state.particles

    compiled = jax.jit(run)

    def draw(seed: int) -> Array:
        with jax.enable_x64(True):
            key, first = jax.random.split(jax.random.key(seed))
            particles = width * jax.random.normal(first, (n_particles, case.energy.dim), dtype=float)
            return np.asarray(compiled(key, particles, *(jnp.asarray(one) for one in case.parameters)))[:, None]

    return Sampler(f"BlackJAX {package_version('blackjax')} tempered SMC, {n_particles:,} particles", draw)


def numpyro(case: Case, *, is_double: bool, n_chains: int, n_warmup: int, n_draws: int) -> Sampler:
    """NumPyro's NUTS by its functions: `MCMC` compiles anew in every run that begins from given points."""
    jax = peers._jax()
    from numpyro.infer.hmc import hmc

    def of_all(key: Any, starts: Any, log_density: Any) -> Any:
        begin, step = hmc(lambda x: -log_density(x), algo="NUTS")

        def run(key: Any, x: Any) -> Any:
            def transition(state: Any, _: Any) -> tuple[Any, Any]:
                state = step(state)
                return state, state.z

            state, _ = jax.lax.scan(
                lambda state, _: (step(state), None), begin(x, n_warmup, rng_key=key), length=n_warmup
            )
            return jax.lax.scan(transition, state, length=n_draws)[1]

        return jax.vmap(run)(jax.random.split(key, n_chains), starts)

    name = f"NumPyro {package_version('numpyro')} NUTS, {_precision(is_double)}"
    return Sampler(_named(name, n_chains, n_warmup, n_draws), _jax_draw(case, is_double, n_chains, of_all))


def nutpie(case: Case, *, n_chains: int, n_warmup: int, n_draws: int) -> Sampler:
    """nutpie's NUTS of `log_density_of_rows` compiled by Numba, called as its models from PyMC are: without Python."""
    import numba
    import nutpie as library
    from nutpie.compile_pymc import CompiledPyMCModel

    rows, labels = case.parameters
    dim = case.energy.dim
    log_density = numba.njit(fastmath=True)(log_density_of_rows)
    pointer, size = numba.types.CPointer(numba.types.double), numba.types.uint64

    @numba.cfunc(numba.types.int64(size, pointer, pointer, pointer, numba.types.voidptr))  # type: ignore[untyped-decorator]
    def called(n: Any, x: Any, slope: Any, value: Any, data: Any) -> int:
        value[0] = log_density(numba.carray(x, (dim,)), rows, labels, numba.carray(slope, (dim,)))
        return 0

    @numba.cfunc(numba.types.int64(size, size, pointer, pointer, numba.types.voidptr))  # type: ignore[untyped-decorator]
    def copied(n: Any, n_out: Any, x: Any, out: Any, data: Any) -> int:
        for i in range(dim):
            out[i] = x[i]
        return 0

    def draw(seed: int) -> Array:
        starts = iter(_starts(case, seed, n_chains, is_double=True))
        model = CompiledPyMCModel(
            dims={}, compiled_logp_func=called, compiled_expand_func=copied,
            initial_point_func=lambda _: next(starts), shared_data={}, user_data=np.zeros(1), n_expanded=dim,
            shape_info=(["x"], [slice(0, dim)], [(dim,)]), logp_func=None, expand_func=None, _n_dim=dim,
            _shapes={"x": (dim,)}, _coords={},
        )
        trace = library.sample(
            model, draws=n_draws, tune=n_warmup, chains=n_chains, cores=1, seed=seed, progress_bar=False,
            save_warmup=False,
        )
        return np.asarray(trace.posterior["x"].values)

    name = f"nutpie {package_version('nutpie')}, Numba, float64"
    return Sampler(_named(name, n_chains, n_warmup, n_draws), draw)


def log_density_of_rows(x: Any, rows: Any, labels: Any, slope: Any) -> float:
    """Of `cases.logistic`, as PyTensor compiles it: a product, a loop over rows, a product; fills slope (dim,)."""
    z = rows @ x
    total = 0.0
    for k in range(len(z)):
        small = math.exp(-abs(z[k]))
        total += labels[k] * z[k] - max(z[k], 0.0) - math.log1p(small)
        share = 1.0 / (1.0 + small)
        z[k] = labels[k] - (share if z[k] >= 0.0 else 1.0 - share)
    slope[:] = z @ rows - x
    return total - 0.5 * float(x @ x)


def _jax_draw(case: Case, is_double: bool, n_chains: int, of_all: Callable[..., Any]) -> Draw:
    """Runs of `of_all(key, starts, log_density)`, compiled in the first one."""
    jax = peers._jax()

    def whole(key: Any, starts: Any, *parameters: Any) -> Any:
        return of_all(key, starts, lambda x: -case.of_one(jax.numpy, x, *parameters))

    compiled = jax.jit(whole)

    def draw(seed: int) -> Array:
        with jax.enable_x64(is_double):
            given = [jax.numpy.asarray(one, _dtype(is_double)) for one in case.parameters]
            starts = jax.numpy.asarray(_starts(case, seed, n_chains, is_double))
            return np.asarray(compiled(jax.random.key(seed), starts, *given), dtype=float)

    return draw


def _starts(case: Case, seed: int, n_chains: int, is_double: bool) -> Any:
    generator = np.random.default_rng(seed)
    return generator.uniform(-HALF_WIDTH, HALF_WIDTH, (n_chains, case.energy.dim)).astype(_dtype(is_double))


def _dtype(is_double: bool) -> Any:
    return np.float64 if is_double else np.float32


def _precision(is_double: bool) -> str:
    return "float64" if is_double else "float32"


def _named(name: str, n_chains: int, n_warmup: int, n_draws: int) -> str:
    return f"{name}, {n_chains} x ({n_warmup} + {n_draws:,})"
