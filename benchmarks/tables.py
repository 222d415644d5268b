"""Results as text and as JSON."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.timing import Cost, Report, Result

Thing = TypeVar("Thing", Cost, str)

_HEADS = ("row", "quantity", "fastebm", "against", "figure", "ratio", "min to max", "bar", "met")


def machine_line(machine: dict[str, str]) -> str:
    """One line: processor, cores, versions."""
    versions = [f"{name} {number}" for name, number in machine.items() if name not in ("cpu", "cores")]
    return ", ".join([f"{machine['cpu']} ({machine['cores']} cores)", *versions])


def as_text(reports: Sequence[Report]) -> str:
    """The table of results, the table of costs, and each note once."""
    parts = [results_table([result for report in reports for result in report.results])]
    if costs := _once(cost for report in reports for cost in report.costs):
        parts.append(costs_table(costs))
    parts += _once(note for report in reports for note in report.notes)
    return "\n\n".join(parts)


def results_table(results: Sequence[Result]) -> str:
    """A line for each result: medians, the range over turns of the ratio (or of our figure), the bar."""
    return _aligned([_HEADS, *(_cells(result) for result in results)])


def costs_table(costs: Sequence[Cost]) -> str:
    """Seconds spent once per process: compiling and importing, which no rate above contains."""
    rows = [(cost.contestant, cost.what, figure(cost.seconds)) for cost in costs]
    return _aligned([("once a process", "what", "seconds"), *rows])


def write_json(path: Path, machine: dict[str, str], reports: Sequence[Report]) -> None:
    """Every figure of every turn, with the medians and verdicts that the table shows."""
    content = {
        "machine": machine,
        "results": [
            dataclasses.asdict(result)
            | {"ratios": result.ratios, "median": _median(result.judged), "met": result.met}
            for report in reports
            for result in report.results
        ],
        "costs": [dataclasses.asdict(cost) for cost in _once(cost for report in reports for cost in report.costs)],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _once(things: Iterable[Thing]) -> list[Thing]:
    """Rows may share a cost or a note; it stands once."""
    return list(dict.fromkeys(things))


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _cells(result: Result) -> tuple[str, ...]:
    ours, theirs, ratio = (_median(values) for values in (result.ours, result.theirs, result.ratios))
    return (
        result.row,
        result.quantity,
        "" if ours is None else figure(ours),
        result.against,
        result.absent if theirs is None else figure(theirs),
        "" if ratio is None else figure(ratio),
        f"{figure(min(result.judged))} to {figure(max(result.judged))}" if result.judged else "",
        str(result.bar or ""),
        "" if result.bar is None else {True: "yes", False: "NO", None: "unknown"}[result.met],
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
