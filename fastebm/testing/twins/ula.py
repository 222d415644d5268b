"""The unadjusted Langevin algorithm as it stands in the textbook."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.mala import MALATwin
from fastebm.testing.twins.twin import Energies


class ULATwin(MALATwin):
    """MALA's proposals, each of them taken where energy and slope are finite.

    References
    ----------
    G. Parisi (1981), doi:10.1016/0550-3213(81)90056-0.
    """

    is_exact = False
    is_tested = False

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        """+inf where y is finite in all respects, -inf elsewhere."""
        is_finite = np.isfinite(e_y) & np.isfinite(slope_y).all(axis=-1)
        shape = np.broadcast_shapes(np.shape(e_x), np.shape(hastings), np.shape(is_finite))
        return np.where(np.broadcast_to(is_finite, shape), np.inf, -np.inf)
