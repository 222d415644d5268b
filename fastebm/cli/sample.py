"""Draw rows from a model, as CSV."""

import argparse
import sys
from pathlib import Path

import numpy as np

from fastebm import _checks, files, sampling, tables
from fastebm.cli.models import add_model, read_model

_CHAINS, _THIN = 256, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--n", type=int, default=1000, help="rows (default 1000)")
    parser.add_argument("--out", metavar="CSV", type=Path, help="file for the rows; without it they are printed")
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")


def run(chosen: argparse.Namespace) -> int:
    n = _checks.count(chosen.n, "--n")
    if chosen.out is not None:
        files.writable(chosen.out, reads=[chosen.model])
    model = read_model(chosen)
    n_chains = min(n, _CHAINS)
    # where the training has left its particles, chains need not look for the distribution
    init = None if model.particles is None else np.resize(model.particles, (n_chains, model.energy.dim))
    result = sampling.sample(
        model.energy,
        n_chains=n_chains, n_draws=-(-n // n_chains), n_warmup=2000, thin=_THIN, init=init, rng=chosen.seed,
    )
    if result.draws.shape[1] == 0:
        raise KeyboardInterrupt  # stopped in the warm-up: an empty table must not take the place of an old one
    rows = np.swapaxes(result.draws, 0, 1).reshape(-1, model.energy.dim)[:n]
    names = model.columns or [f"x{i}" for i in range(model.energy.dim)]
    if chosen.out is None:
        tables.print_csv(sys.stdout, names, rows)
    else:
        tables.write_csv(chosen.out, names, rows)
        print(f"{len(rows)} rows: {chosen.out}")
    return 0
