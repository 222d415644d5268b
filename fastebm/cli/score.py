"""Score the rows of a CSV file: the higher the energy, the odder the row.

The columns that `fastebm fit` was given are found by their names, wherever they stand and whatever else is there;
in a file without a header they are called x0, x1 and so on.
"""

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
        files.writable(chosen.out, reads=[chosen.data, chosen.model])
    model = read_model(chosen)
    names, rows = tables.read_csv(chosen.data, model.columns)
    if len(names) != model.energy.dim:
        raise ValueError(
            f"{chosen.data} has {len(names)} column(s), but the model has dim={model.energy.dim}; leave only the "
            "model's columns in the file."
        )
    scores = anomaly_score(model.energy, rows)
    if np.isnan(scores).any():  # nan is above no threshold, so that the oddest row would pass for normal
        row = int(np.argmax(np.isnan(scores)))
        raise ValueError(
            f"{chosen.data}: the energy of row {row + 1}, {rows[row].tolist()}, is nan, which is no score; correct or "
            "remove the row, or mend the energy."
        )
    result = {"score": scores}
    if model.threshold is not None:
        result["is_anomaly"] = (scores > model.threshold).astype(float)
    table = np.column_stack(list(result.values()))
    if chosen.out is None:
        tables.print_csv(sys.stdout, list(result), table)
    else:
        tables.write_csv(chosen.out, list(result), table)
        print(f"{len(scores)} scores: {chosen.out}")
    return 0
