"""Checks of what users write, with a stated outcome for everything that was or could not be compared."""

from fastebm.testing.gradients import Comparison, GradientError, GradientReport, check_gradient
from fastebm.testing.reports import CheckError, Report
from fastebm.testing.reproducible import check_reproducible

__all__ = [
    "CheckError", "Comparison", "GradientError", "GradientReport", "Report", "check_gradient", "check_reproducible",
]
