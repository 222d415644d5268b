"""Slow twins: each compiled kernel once more in plain NumPy, by the formulas of the textbook, on the same stream.

A twin calls nothing of the code that it judges.
"""

import functools
from collections.abc import Callable

from fastebm._checks import FloatArray
from fastebm.kernels import (
    HMC,
    MALA,
    ULA,
    Barker,
    DelayedRejection,
    Gibbs,
    GibbsWithGradients,
    Kernel,
    ParallelTempering,
    RandomWalk,
    Slice,
    SpinFlip,
    Stretch,
)
from fastebm.kernels.several import SeveralRules
from fastebm.testing.reports import NotRun
from fastebm.testing.twins.barker import BarkerTwin
from fastebm.testing.twins.delayed_rejection import DelayedRejectionTwin
from fastebm.testing.twins.discrete import GibbsTwin, GibbsWithGradientsTwin, SpinFlipTwin
from fastebm.testing.twins.hmc import HMCTwin
from fastebm.testing.twins.mala import MALATwin
from fastebm.testing.twins.random_walk import RandomWalkTwin
from fastebm.testing.twins.several import ParallelTemperingTwin, SeveralTwin
from fastebm.testing.twins.slice import SliceTwin
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.stretch import StretchTwin
from fastebm.testing.twins.twin import ProposalTwin, Twin
from fastebm.testing.twins.ula import ULATwin

__all__ = [
    "TWINS", "BarkerTwin", "DelayedRejectionTwin", "GibbsTwin", "GibbsWithGradientsTwin", "HMCTwin", "MALATwin",
    "ParallelTemperingTwin", "ProposalTwin", "RandomWalkTwin", "SeveralTwin", "SliceTwin", "SpinFlipTwin", "Stream",
    "StretchTwin", "Twin", "ULATwin", "twin_of",
]

# By kernel; a subclass has the same twin. None stands for a subclass that follows another rule than what it is made of.
TWINS: dict[type[Kernel], type[Twin] | None] = {
    RandomWalk: RandomWalkTwin, MALA: MALATwin, ULA: ULATwin, Barker: BarkerTwin, HMC: HMCTwin, Gibbs: GibbsTwin,
    GibbsWithGradients: GibbsWithGradientsTwin, SpinFlip: SpinFlipTwin, DelayedRejection: DelayedRejectionTwin,
    Slice: SliceTwin, Stretch: StretchTwin,
}


def twin_of(kernel: Kernel) -> Callable[[FloatArray, int], Twin]:
    """The twin of a kernel, to be made from its `settings` and the dimension.

    Raises
    ------
    NotRun : there is none, or it cannot be a part of the kernel's.
    """
    if isinstance(kernel, SeveralRules | ParallelTempering):
        parts = kernel.kernels if isinstance(kernel, SeveralRules) else [kernel.kernel]
        if any(isinstance(part, Slice) for part in parts):
            raise NotRun("the twin of Slice draws as it goes, those of kernels made of others draw beforehand")
        kind = SeveralTwin if isinstance(kernel, SeveralRules) else ParallelTemperingTwin
        return functools.partial(kind, parts=[twin_of(part) for part in parts])
    found = next((TWINS[kind] for kind in type(kernel).__mro__ if kind in TWINS), None)
    if found is None:
        raise NotRun(f"{type(kernel).__name__} has no slow twin; write one and add it to fastebm.testing.twins.TWINS")
    return found
