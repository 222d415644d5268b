"""Compile the samplers and what all energies share now, so that nothing waits for it later."""

import argparse
import time

import numpy as np

from fastebm.energies import MLP, DoubleWell, Energy, Gaussian, GaussianMixture
from fastebm.kernels import RandomWalk
from fastebm.sampling import sample
from fastebm.tasks import denoise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(chosen: argparse.Namespace) -> int:
    began = time.perf_counter()
    points = np.zeros((1, 2))
    network = MLP(2)
    energies: tuple[Energy, ...] = (
        Gaussian([0.0, 0.0]), Gaussian([0.0, 0.0], np.eye(2)), GaussianMixture([[0.0, 0.0]]), DoubleWell(2), network
    )
    for energy in energies:
        energy.energy(points)
        energy.grad(points)
        energy.grad_theta(points)
        energy.mean_grad_theta(points)
    sample(network, RandomWalk(1.0), n_chains=1, n_draws=1, n_warmup=0, rng=0, progress=False)
    denoise(network, points, 1.0, n_draws=1, rng=0)
    print(f"ready after {time.perf_counter() - began:.1f} s")
    return 0
