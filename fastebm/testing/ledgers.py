"""Evidence that accumulates: what each statistic showed in all runs so far, in a small JSON file.

Where nothing is wrong, z-values of a statistic are standard normal, one after the other, and with S their sum over t
runs and any tau

    e = exp(tau**2 S**2 / (2 (1 + tau**2 t))) / sqrt(1 + tau**2 t)

is a martingale that begins at 1. By Ville's inequality it ever reaches 1e9 with a probability of 1e-9 at most, however
often one looks. A bias that a single run cannot see adds up in S.

References
----------
J. Ville (1939), Etude critique de la notion de collectif.
H. Robbins (1970), doi:10.1214/aoms/1177696786 (mixtures of martingales).
"""

import json
import math
from pathlib import Path

from fastebm import files
from fastebm.testing.reports import Report

ALARM = 1e9
_TAU = 0.5  # the size of shifts of z that is found fastest
_LARGEST_Z = 40.0  # a single one raises the alarm
_FORMAT = "fastebm ledger 1"


class Ledger:
    """The e-values of statistics, kept in a file.

    Parameters
    ----------
    path : a JSON file; it begins with the first `add`.

    Raises
    ------
    FileFormatError : the file is damaged, or none of a ledger.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._sums: dict[str, dict[str, tuple[int, float]]] = {}  # by check and statistic: runs, sum of z
        self._seeds: dict[str, list[int]] = {}
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            held = json.loads(self.path.read_text())
            if held["format"] != _FORMAT:
                raise ValueError(f"its format is {held['format']!r}")
            for name, entry in held["checks"].items():
                self._seeds[name] = [int(seed) for seed in entry["seeds"]]
                self._sums[name] = {one: (int(t), float(total)) for one, (t, total) in entry["statistics"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise files.FileFormatError(
                f"{self.path} is no ledger of fastebm that can be read ({fault}); move it away to begin a new one."
            ) from None

    def add(self, report: Report) -> list[str]:
        """Note what a report's statistics show, and write the file; a seed that was noted before is no new evidence.

        Returns
        -------
        The alarms of this check, a sentence each.
        """
        seeds = self._seeds.setdefault(report.name, [])
        if report.seed not in seeds:
            seeds.append(report.seed)
            sums = self._sums.setdefault(report.name, {})
            for one in report.statistics:
                t, total = sums.get(one.name, (0, 0.0))
                z = one.z if not math.isnan(one.z) else _LARGEST_Z
                sums[one.name] = (t + 1, total + max(-_LARGEST_Z, min(_LARGEST_Z, z)))
            self._write()
        return self._alarms(report.name)

    def e_values(self, name: str) -> dict[str, float]:
        """The e-value of each statistic of a check, by its name."""
        return {one: math.exp(_log_e(t, total)) for one, (t, total) in self._sums.get(name, {}).items()}

    def alarms(self) -> list[str]:
        """What has reached an e-value of 1e9, a sentence each."""
        return [alarm for name in self._sums for alarm in self._alarms(name)]

    def _alarms(self, name: str) -> list[str]:
        found = []
        for one, (t, total) in self._sums.get(name, {}).items():
            log_e = _log_e(t, total)
            if log_e >= math.log(ALARM):
                found.append(
                    f"{name}: {one} is off by {total / t:+.2g} standard errors on average over {t} runs, with an "
                    f"e-value of 1e{log_e / math.log(10.0):.0f}; take one of its seeds and look for the bias."
                )
        return found

    def _write(self) -> None:
        checks = {
            name: {"seeds": self._seeds[name], "statistics": sums} for name, sums in self._sums.items()
        }
        with files.replacing(self.path) as temporary:
            temporary.write_text(json.dumps({"format": _FORMAT, "checks": checks}, indent=1))


def _log_e(t: int, total: float) -> float:
    """log of the e-value after t runs with the sum of z-values `total`."""
    width = 1.0 + _TAU**2 * t
    return 0.5 * (_TAU**2 * total**2 / width - math.log(width))
