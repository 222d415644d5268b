"""Chains in processes of this machine, which start with nothing: run it as a script."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import fastebm as eb


def main(n_draws: int = 500) -> eb.Run:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        return eb.sample(eb.Ring(), eb.HMC(), n_draws=n_draws, rng=0, executor=pool)


if __name__ == "__main__":  # new processes import this file, and must not run it
    print(main().summary().to_string())
