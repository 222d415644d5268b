"""log Z of a model, with its error."""

import argparse

from fastebm.cli.models import add_model, read_model
from fastebm.partition import log_partition


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)


def run(chosen: argparse.Namespace) -> int:
    z = log_partition(read_model(chosen).energy)
    print(f"log Z = {z.value:.12g}  (error {z.error:.2g}, {z.method}, {z.n_evaluations} evaluations)")
    return 0
