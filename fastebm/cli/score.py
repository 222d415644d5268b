"""Score the rows of a CSV file: the higher the energy, the odder the row."""

import argparse
import sys
from pathlib import Path

import numpy as np

from fastebm import files, tables
from fastebm.cli.models import add_model, read_model
from fastebm.tasks import anomaly_score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("data", metavar="DATA", type=Path, help="CSV file with the model's columns")
    parser.add_argument("--out", metavar="CSV", type=Path, help="file for the scores; without it they are printed")


def run(chosen: argparse.Namespace) -> int:
    if chosen.out is not None:
        files.writable(chosen.out)
    energy, notes = read_model(chosen)
    columns = notes.get("columns")
    names, rows = tables.read_csv(chosen.data)
    if isinstance(columns, list) and set(columns) <= set(names):
        rows = np.ascontiguousarray(rows[:, [names.index(column) for column in columns]])
    if rows.shape[1] != energy.dim:
        raise ValueError(
            f"{chosen.data} has {rows.shape[1]} column(s) and the model {energy.dim}; pass the columns "
            f"{', '.join(map(str, columns)) if isinstance(columns, list) else energy.dim}."
        )
    scores = anomaly_score(energy, rows)
    threshold = notes.get("threshold")
    result = {"score": scores}
    if isinstance(threshold, float):
        result["is_anomaly"] = (scores > threshold).astype(float)
    table = np.column_stack(list(result.values()))
    if chosen.out is None:
        tables.print_csv(sys.stdout, list(result), table)
    else:
        tables.write_csv(chosen.out, list(result), table)
        print(f"{len(scores)} scores: {chosen.out}")
    return 0
