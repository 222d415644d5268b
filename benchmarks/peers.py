"""The libraries that do the same work, where they are installed: JAX, BlackJAX on it, and emcee."""

import functools
import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastebm as eb
from benchmarks.machine import package_version
from benchmarks.processes import import_times
from benchmarks.targets import N_LEAPFROG, Target, ten_steps
from benchmarks.timing import Bar, Contestant, Cost, Field, Measure, rate

_STEPS_A_CALL = 100


def samplers(target: Target, starts: NDArray[np.float64], bar: Bar | None = None, items: int = 1) -> Field:
    """The target's kernel from starts (n_chains, dim), one thread, millions of items/s; the bar is BlackJAX's.

    A transition is so many items. emcee has random walks only.
    """
    fields = [_blackjax(target, starts, bar, items) if _installed("jax", "blackjax") else _missing("BlackJAX", bar)]
    if target.kernel is eb.RandomWalk:
        fields.append(_emcee(target, starts) if _installed("emcee") else _missing("emcee"))
    return Field([c for field in fields for c in field.contestants], [c for field in fields for c in field.costs])


def derivatives(
    derive: Callable[..., Any],
    at: NDArray[np.float64],
    others: tuple[NDArray[np.float64], ...],
    measure: Callable[[Callable[[int], float]], Measure],
    bar: Bar,
) -> Field:
    """`derive(jax, at, *others)`, of the shape of `at`, compiled, float64, on one thread.

    It is repeated in one compiled loop, so that calls from Python do not count; every round begins where the one
    before ended, moved by 0 times its result, which the compiler cannot know.
    """
    if not _installed("jax"):
        return _missing("JAX", bar)
    jax = _jax()

    def repeated(at: Any, factor: Any, n: Any, *others: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, at: at + factor * derive(jax, at, *others), at)

    arguments = [jax.numpy.asarray(one) for one in (at, *others)]
    began = time.perf_counter()
    compiled = jax.jit(repeated).lower(arguments[0], 0.0, 1, *arguments[1:]).compile()
    compile_seconds = time.perf_counter() - began

    def run(n: int) -> float:
        began = time.perf_counter()
        jax.block_until_ready(compiled(arguments[0], 0.0, n, *arguments[1:]))
        return time.perf_counter() - began

    name = f"JAX {package_version('jax')}, float64"
    return Field([Contestant(name, measure(run), bar=bar)], [Cost("JAX", "compile", compile_seconds)])


@functools.cache
def _jax() -> Any:
    """JAX with 64 bits and one thread, which it reads when it starts."""
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one_thread}".strip()
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def _installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _missing(name: str, bar: Bar | None = None) -> Field:
    return Field([Contestant(name, None, "not installed", bar)])


def _blackjax(target: Target, starts: NDArray[np.float64], bar: Bar | None, items: int) -> Field:
    """All chains by vmap inside lax.scan, compiled ahead, float64; the generator is JAX's default, the faster one."""
    jax = _jax()
    import blackjax

    jnp = jax.numpy
    n_chains, dim = starts.shape

    def algorithm(*parameters: Any) -> Any:
        def log_density(x: Any) -> Any:
            return target.of_one(jnp, x, *parameters)

        if target.kernel is eb.MALA:
            return blackjax.mala(log_density, target.step_size)
        if target.kernel is ten_steps:
            return blackjax.hmc(log_density, target.step_size, jnp.ones(dim), N_LEAPFROG)
        return blackjax.additive_step_random_walk.normal_random_walk(log_density, jnp.full(dim, target.step_size))

    def advance(states: Any, key: Any, *parameters: Any) -> tuple[Any, Any]:
        step = jax.vmap(algorithm(*parameters).step)

        def transition(states: Any, key: Any) -> tuple[Any, Any]:
            states, info = step(jax.random.split(key, n_chains), states)
            return states, jnp.sum(info.is_accepted)

        states, accepted = jax.lax.scan(transition, states, jax.random.split(key, _STEPS_A_CALL))
        return states, jnp.sum(accepted)

    parameters = tuple(jnp.asarray(one) for one in target.parameters)
    key = jax.random.key(0)
    states = jax.vmap(algorithm(*parameters).init)(jnp.asarray(starts))
    began = time.perf_counter()
    compiled = jax.jit(advance).lower(states, key, *parameters).compile()
    compile_seconds = time.perf_counter() - began

    def run(n: int) -> float:
        nonlocal states, key
        began = time.perf_counter()
        for _ in range(n):
            key, call_key = jax.random.split(key)
            states, _ = compiled(states, call_key, *parameters)
        jax.block_until_ready(states)
        return time.perf_counter() - began

    name = f"BlackJAX {package_version('blackjax')}, JAX {package_version('jax')}, float64"
    costs = [Cost("BlackJAX", "import", import_times("blackjax")[0]), Cost("BlackJAX", "compile", compile_seconds)]
    return Field([Contestant(name, rate(run, n_chains * _STEPS_A_CALL * items / 1e6), bar=bar)], costs)


def _emcee(target: Target, starts: NDArray[np.float64]) -> Field:
    """The same proposal, emcee's GaussianMove, with log-densities of all chains in one NumPy call."""
    import emcee

    n_chains, dim = starts.shape
    sampler = emcee.EnsembleSampler(
        n_chains, dim, lambda x: target.of_many(x, *target.parameters), vectorize=True,
        moves=emcee.moves.GaussianMove(target.step_size**2),
    )
    state = sampler.run_mcmc(starts, 1, store=False)

    def run(n: int) -> float:
        nonlocal state
        began = time.perf_counter()
        state = sampler.run_mcmc(state, n, store=False)
        return time.perf_counter() - began

    name = f"emcee {package_version('emcee')}"
    return Field([Contestant(name, rate(run, n_chains / 1e6))], [Cost("emcee", "import", import_times("emcee")[0])])
