"""Checks of what users write, with a stated outcome for everything that was or could not be compared."""

from fastebm.testing.gradients import Comparison, GradientError, GradientReport, check_gradient

__all__ = ["Comparison", "GradientError", "GradientReport", "check_gradient"]
