"""The algebra of energies: sums, multiples, mixtures, affine maps, walls, values, conditioning, noisy observation.

One file for each, all in the same outline: the class, the program it makes of the programs of its parts, and the loops
over tiles that this needs. What they have in common is in `combined`.
"""

from fastebm.energies.algebra.affine_maps import Affine
from fastebm.energies.algebra.combined import Combined
from fastebm.energies.algebra.conditionals import Conditioned
from fastebm.energies.algebra.discrete import Discrete
from fastebm.energies.algebra.mixtures import Mixture, mixture
from fastebm.energies.algebra.multiples import Tempered
from fastebm.energies.algebra.observations import Observed
from fastebm.energies.algebra.sums import Sum
from fastebm.energies.algebra.walls import Walled

__all__ = [
    "Affine", "Combined", "Conditioned", "Discrete", "Mixture", "Observed", "Sum", "Tempered", "Walled", "mixture",
]
