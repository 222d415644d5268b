"""The libraries that do the same work, where they are installed: BlackJAX on JAX, and emcee."""

import importlib.util
import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import package_version
from benchmarks.processes import import_times
from benchmarks.timing import Contestant, Cost, Field, rate

_STEPS_A_CALL = 100


def random_walks(
    mean: NDArray[np.float64], variances: NDArray[np.float64], step_size: float, starts: NDArray[np.float64]
) -> Field:
    """Random-walk Metropolis on a diagonal Gaussian from starts (n_chains, dim), one thread, millions of steps/s."""
    fields = [
        _blackjax(mean, variances, step_size, starts) if _installed("jax", "blackjax") else _missing("BlackJAX"),
        _emcee(mean, variances, step_size, starts) if _installed("emcee") else _missing("emcee"),
    ]
    return Field([c for field in fields for c in field.contestants], [c for field in fields for c in field.costs])


def _installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _missing(name: str) -> Field:
    return Field([Contestant(name, None, absent="not installed")])


def _blackjax(
    mean: NDArray[np.float64], variances: NDArray[np.float64], step_size: float, starts: NDArray[np.float64]
) -> Field:
    """All chains by vmap inside lax.scan, compiled ahead, float64; the generator is JAX's default, the faster one."""
    # read when JAX starts; the row is about one thread
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one_thread}".strip()
    import blackjax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n_chains, dim = starts.shape

    def algorithm(centre: Any, precision: Any) -> Any:
        return blackjax.additive_step_random_walk.normal_random_walk(
            lambda x: -0.5 * jnp.sum(precision * (x - centre) ** 2), jnp.full(dim, step_size)
        )

    def advance(states: Any, key: Any, centre: Any, precision: Any) -> tuple[Any, Any]:
        step = jax.vmap(algorithm(centre, precision).step)

        def transition(states: Any, key: Any) -> tuple[Any, Any]:
            states, info = step(jax.random.split(key, n_chains), states)
            return states, jnp.sum(info.is_accepted)

        states, accepted = jax.lax.scan(transition, states, jax.random.split(key, _STEPS_A_CALL))
        return states, jnp.sum(accepted)

    target = (jnp.asarray(mean), jnp.asarray(1.0 / variances))
    key = jax.random.key(0)
    states = jax.vmap(algorithm(*target).init)(jnp.asarray(starts))
    began = time.perf_counter()
    compiled = jax.jit(advance).lower(states, key, *target).compile()
    compile_seconds = time.perf_counter() - began

    def run(n: int) -> float:
        nonlocal states, key
        began = time.perf_counter()
        for _ in range(n):
            key, call_key = jax.random.split(key)
            states, _ = compiled(states, call_key, *target)
        jax.block_until_ready(states)
        return time.perf_counter() - began

    name = f"BlackJAX {package_version('blackjax')}, JAX {package_version('jax')}, float64"
    costs = [Cost("BlackJAX", "import", import_times("blackjax")[0]), Cost("BlackJAX", "compile", compile_seconds)]
    return Field([Contestant(name, rate(run, n_chains * _STEPS_A_CALL / 1e6))], costs)


def _emcee(
    mean: NDArray[np.float64], variances: NDArray[np.float64], step_size: float, starts: NDArray[np.float64]
) -> Field:
    """The same proposal, emcee's GaussianMove, with log-densities of all chains in one NumPy call."""
    import emcee

    n_chains, dim = starts.shape
    precision = 1.0 / variances

    def log_density(x: NDArray[np.float64]) -> Any:
        away = x - mean
        return -0.5 * ((away * away) @ precision)

    sampler = emcee.EnsembleSampler(
        n_chains, dim, log_density, vectorize=True, moves=emcee.moves.GaussianMove(step_size**2)
    )
    state = sampler.run_mcmc(starts, 1, store=False)

    def run(n: int) -> float:
        nonlocal state
        began = time.perf_counter()
        state = sampler.run_mcmc(state, n, store=False)
        return time.perf_counter() - began

    name = f"emcee {package_version('emcee')}"
    return Field([Contestant(name, rate(run, n_chains / 1e6))], [Cost("emcee", "import", import_times("emcee")[0])])
