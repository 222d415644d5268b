"""Tests of the tests: broken samplers, gradients and estimators that must be caught, and correct ones that must pass.

`python -m fastebm.testing.mutants` puts them all before their checks and prints the table.
"""

from fastebm.testing.mutants import (
    broken_estimates,
    broken_gradients,
    broken_kernels,
    broken_objectives,
    broken_rules,
    broken_steps,
    correct,
)
from fastebm.testing.mutants.accusations import Accusations, accusations
from fastebm.testing.mutants.entries import Entry, Judgement, judged

CORRECT = correct.CORRECT
BROKEN = (
    *broken_rules.BROKEN,
    *broken_steps.BROKEN,
    *broken_kernels.BROKEN,
    *broken_gradients.BROKEN,
    *broken_objectives.BROKEN,
    *broken_estimates.BROKEN,
)

__all__ = ["BROKEN", "CORRECT", "Accusations", "Entry", "Judgement", "accusations", "judged"]
