"""The command line: python -m benchmarks [NAME ...] [--json FILE] [--rounds N]."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.rows import ROWS


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rows named, print the tables and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure fastebm beside vectorised C, NumPy and its peers, in one run."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows to measure, of: {', '.join(ROWS)}; none: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round to FILE as well")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns of each contestant (default: 7)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; choose from {', '.join(ROWS)}.")
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; pass a whole number of at least 1.")
    if options.json is not None and not options.json.parent.is_dir():
        parser.error(f"--json names {options.json}, and {options.json.parent} is no folder; make it first.")

    here = machine.describe()
    print(tables.machine_line(here), flush=True)
    reports = []
    for name in options.names or ROWS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        reports.append(ROWS[name](options.rounds))
    print("\n" + tables.as_text(reports))
    if options.json is not None:
        tables.write_json(options.json, here, reports)


if __name__ == "__main__":
    main()
