"""Print what the checks say of the catalogue: every broken thing has to be caught, nothing correct accused."""

import argparse
import sys
from collections.abc import Sequence

from fastebm.testing.mutants import BROKEN, CORRECT, Entry, accusations, judged
from fastebm.testing.mutants.accusations import pool

_LONG, _SHORT = 10_000, 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status: 1 if a mutant was missed, or a correct entry accused too often."""
    parser = argparse.ArgumentParser(prog="python -m fastebm.testing.mutants", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help="entries to look at; without, all")
    parser.add_argument("--short", action="store_true", help=f"{_SHORT} runs of each correct entry, for {_LONG:,}")
    parser.add_argument("--runs", type=int, help="runs of each correct entry")
    parser.add_argument("--delta", type=float, help="bias to find, for all mutants (as each is declared)")
    parser.add_argument("--seed", type=int, help="of the mutants' checks (by chance), and the first of the others' (0)")
    chosen = parser.parse_args(arguments)
    known = {one.name for one in (*BROKEN, *CORRECT)}
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"there is no entry {unknown[0]!r}; the entries are: {', '.join(sorted(known))}.")
    n_runs = chosen.runs if chosen.runs is not None else _SHORT if chosen.short else _LONG
    if n_runs < 0:
        parser.error(f"--runs is {n_runs}; pass a whole number, 0 for no runs.")

    def wanted(entries: tuple[Entry, ...]) -> list[Entry]:
        return [one for one in entries if not chosen.names or one.name in chosen.names]

    n_missed = _broken(wanted(BROKEN), chosen.delta, chosen.seed)
    n_accused = _correct(wanted(CORRECT), n_runs, chosen.seed or 0) if n_runs else 0
    return 1 if n_missed or n_accused else 0


def _broken(entries: list[Entry], delta: float | None, seed: int | None) -> int:
    n_missed = 0
    for entry in entries:
        one = judged(entry, delta=delta, rng=seed)
        n_missed += not one.is_as_declared
        verdict = "caught" if one.is_as_declared else "MISSED"
        print(f"{verdict}  {entry.name}: {entry.words}  ({one.seconds:.1f} s)\n        {one.by}", flush=True)
    if entries:
        print(f"{len(entries)} mutants, {n_missed} missed\n")
    return n_missed


def _correct(entries: list[Entry], n_runs: int, seed: int) -> int:
    n_accused = 0
    with pool() as workers:
        for entry in entries:
            found = accusations(entry, n_runs, seed=seed, workers=workers)
            n_accused += bool(found.complaints)
            name, worst = min((p, name) for name, p in found.deviations.items())[::-1]
            print(
                f"{'ACCUSED' if found.complaints else 'passed'}  {entry.name}: {entry.words}  ({found.seconds:.1f} s)\n"
                f"        {len(found.faults)} of {n_runs:,} runs accused at alpha {found.alpha}, at most {found.most}; "
                f"p-values farthest from uniform: {name} (p={worst:.2g})",
                flush=True,
            )
            for complaint in found.complaints:
                print(f"        {complaint}", flush=True)
    if entries:
        print(f"{len(entries)} correct samplers, {n_accused} accused")
    return n_accused


if __name__ == "__main__":
    sys.exit(main())
