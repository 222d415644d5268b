"""Checks of what users write, with a stated outcome for everything that was or could not be compared."""

from fastebm.exact import exact_draws
from fastebm.testing.gradients import Comparison, GradientError, GradientReport, check_gradient
from fastebm.testing.kernels import KernelReport, check_kernel
from fastebm.testing.reports import CheckError, Report, Statistic, Tier
from fastebm.testing.reproducible import check_reproducible

__all__ = [
    "CheckError",
    "Comparison",
    "GradientError",
    "GradientReport",
    "KernelReport",
    "Report",
    "Statistic",
    "Tier",
    "check_gradient",
    "check_kernel",
    "check_reproducible",
    "exact_draws",
]
