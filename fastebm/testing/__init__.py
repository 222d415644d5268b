"""Checks of what users write, with a stated outcome for everything that was or could not be compared."""

import importlib
from typing import Any

from fastebm.exact import exact_draws
from fastebm.testing.gradients import Comparison, GradientError, GradientReport, check_gradient
from fastebm.testing.kernels import KernelReport, check_kernel
from fastebm.testing.ledgers import Ledger
from fastebm.testing.objectives import check_objective
from fastebm.testing.optimisers import check_optimiser
from fastebm.testing.partition import check_log_partition
from fastebm.testing.reports import CheckError, Report, Statistic, Tier
from fastebm.testing.reproducible import check_reproducible

__all__ = [
    "CheckError",
    "Comparison",
    "GradientError",
    "GradientReport",
    "KernelReport",
    "Ledger",
    "Report",
    "Statistic",
    "Tier",
    "check_gradient",
    "check_kernel",
    "check_log_partition",
    "check_objective",
    "check_optimiser",
    "check_reproducible",
    "exact_draws",
]


def __getattr__(name: str) -> Any:
    """`strategies` on first use: only it needs hypothesis."""
    if name != "strategies":
        raise AttributeError(f"module 'fastebm.testing' has no attribute {name!r}")
    try:
        return importlib.import_module("fastebm.testing.strategies")
    except ModuleNotFoundError as fault:
        if fault.name != "hypothesis":
            raise
        raise ImportError('fastebm.testing.strategies needs hypothesis; run: pip install "fastebm[test]".') from None
