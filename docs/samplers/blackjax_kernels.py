"""Kernels of BlackJAX, many chains by vmap, in float64."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np

import fastebm as eb

jax.config.update("jax_enable_x64", True)

ENERGY = eb.DoubleWell(1, barrier=1.7, location=1.5, tilt=0.3)


def log_density(x):
    """- ENERGY, once more for JAX."""
    return -jnp.sum(1.7 * ((x / 1.5) ** 2 - 1.0) ** 2 + 0.3 * x)


def vectorised(kernel):
    """The step of a BlackJAX kernel."""

    @jax.jit
    def advance(states, keys):
        def one(state, key):
            def transition(carried, key):
                return kernel.step(key, carried)[0], None

            return jax.lax.scan(transition, kernel.init(state), key)[0].position

        return jax.vmap(one)(states, keys)

    def step(states, k, seed):
        keys = jax.random.split(jax.random.key(seed % 2**32), (len(states), k))
        return np.asarray(advance(jnp.asarray(states), keys))

    return step


SAMPLERS = {
    f"BlackJAX {blackjax.__version__}, random walk": (
        vectorised(blackjax.additive_step_random_walk(log_density, blackjax.mcmc.random_walk.normal(jnp.array([0.9])))),
        ENERGY, {"is_reversible": True},
    ),
    f"BlackJAX {blackjax.__version__}, MALA": (
        vectorised(blackjax.mala(log_density, 0.1)), ENERGY, {"is_reversible": True}
    ),
    f"BlackJAX {blackjax.__version__}, HMC": (
        vectorised(blackjax.hmc(log_density, 0.3, jnp.ones(1), 4)), ENERGY, {"is_reversible": True}
    ),
    f"BlackJAX {blackjax.__version__}, NUTS": (
        vectorised(blackjax.nuts(log_density, 0.3, jnp.ones(1))), ENERGY, {"is_reversible": True}
    ),
}
