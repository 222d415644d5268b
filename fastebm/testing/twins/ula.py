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

    def log_ratio(
        self, x: FloatArray, e_x: Energies, slope_x: Energies, y: FloatArray, e_y: Energies, slope_y: Energies
    ) -> FloatArray:
        """+inf where y is finite in all respects, -inf elsewhere."""
        return np.where(np.isfinite(e_y) & np.isfinite(slope_y).all(axis=-1), np.inf, -np.inf)
