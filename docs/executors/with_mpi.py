"""Chains on the ranks of an MPI job: mpiexec -n 5 python -m mpi4py.futures with_mpi.py, with mpi4py installed."""

from mpi4py.futures import MPIPoolExecutor

import fastebm as eb


def main(n_draws: int = 500) -> eb.Run:
    with MPIPoolExecutor() as pool:
        return eb.sample(eb.Ring(), eb.HMC(), n_draws=n_draws, rng=0, executor=pool)


if __name__ == "__main__":
    print(main().summary().to_string())
