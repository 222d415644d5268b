"""What the kit says about samplers of others: `python docs/samplers/table.py [DELTA]` prints the table as Markdown."""

import importlib
import importlib.util
import sys
import time
from pathlib import Path

from fastebm.testing import check_kernel

NEEDS = {"numpy_barker": "numpy", "emcee_ensembles": "emcee", "blackjax_kernels": "blackjax"}
sys.path.insert(0, str(Path(__file__).parent))


def samplers():
    """Of all modules here whose library is installed: name -> step, energy, options."""
    found = {}
    for module, library in NEEDS.items():
        if importlib.util.find_spec(library):
            found |= importlib.import_module(module).SAMPLERS
    return found


if __name__ == "__main__":
    delta = float(sys.argv[1]) if sys.argv[1:] else 0.01
    print("| sampler | energy | verdict | chains | what it says first | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (step, energy, options) in samplers().items():
        began = time.perf_counter()
        report = check_kernel(step, energy, delta=delta, **options)
        first = (*report.faults, report.unjudged)[0] or "-"
        cells = (name, energy.name, report.verdict, f"{report.n_chains:,}", first, f"{time.perf_counter() - began:.0f}")
        print(f"| {' | '.join(cells)} |", flush=True)
