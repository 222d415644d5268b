"""Exact log Z in one to three dimensions, with its error, and the nodes that every exact expectation is taken over."""

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies import Energy, refuse_discrete
from fastebm.exact import crosschecks, modes, refinement
from fastebm.exact.densities import Density, NotNormalisableError
from fastebm.exact.lattices import Lattice
from fastebm.exact.refinement import Refinement

__all__ = ["MAX_DIM", "Grid", "NotNormalisableError", "grid"]

MAX_DIM = 3
_FOR_STEPS = 0.9  # of rtol; the rest is for tails and rounding
_LEAST_CLAIM = 0.3  # of rtol: changes that are smaller may be so by chance, and no effort went into telling
_HOPELESS = 0.03  # error of log Z from which on nothing is known
_N_SEARCHES = 3  # for modes
_LOOSE = {1: 1e-8, 2: 1e-5, 3: 1e-4}  # closer than this, and ten times its own error, the other rule need not agree
_UNTRUSTED = 10.0
_N_PROBES = 4096  # nodes at which rounding is measured
_EPS = float(np.finfo(float).eps)
_NEGLIGIBLE = 50.0  # a node lighter than the heaviest by more, on a log scale, is no point of the grid


class Grid:
    """Nodes and weights with which an integral of exp(-E) times a smooth function is a sum.

    Attributes
    ----------
    energy : the energy E.
    log_partition : log Z.
    error : bound on its error; absolute.
    n_evaluations : energies that were computed to find it.
    points : (n, dim) nodes.
    log_weights : (n,) log of the nodes' volumes: log Z = log sum exp(log_weights - E(points)).
    probabilities : (n,) masses of the nodes; they sum to one.
    """

    def __init__(
        self,
        energy: Energy,
        bounds: Any,
        lattice: Lattice,
        rtol: float,
        error: float,
        n_evaluations: int,
        is_smooth: bool,
    ) -> None:
        self.energy = energy
        self.bounds = bounds
        self.lattice = lattice
        self.rtol = rtol
        self.error = error
        self.n_evaluations = n_evaluations
        self.is_smooth = is_smooth
        self.log_partition = lattice.log_total
        self.envelopes: dict[float, Any] = {}  # of `draws`, by their caution

    @functools.cached_property
    def _rows(self) -> Any:
        return np.flatnonzero(self.lattice.log_mass > self.lattice.log_mass.max() - _NEGLIGIBLE)

    @functools.cached_property
    def points(self) -> FloatArray:
        return self.lattice.density.x(self.lattice.v(self._rows))

    @functools.cached_property
    def log_weights(self) -> FloatArray:
        return self.lattice.log_volume(self._rows) + self.lattice.density.log_slope(self.lattice.v(self._rows))

    @functools.cached_property
    def probabilities(self) -> FloatArray:
        masses = np.exp(self.lattice.log_mass[self._rows] - self.log_partition)
        return np.asarray(masses / masses.sum())

    def expectation(self, values: ArrayLike) -> Any:
        """Mean under the model of a function with values (n,) or (n, k) at the points: a float or (k,)."""
        means = self.probabilities @ _checks.array(values, "values")
        return float(means) if means.ndim == 0 else means

    @property
    def mean(self) -> FloatArray:
        """(dim,) mean of x."""
        return np.asarray(self.probabilities @ self.points)

    @property
    def cov(self) -> FloatArray:
        """(dim, dim) covariance of x."""
        away = self.points - self.mean
        return np.asarray((self.probabilities[:, None] * away).T @ away)

    def reweighted(self, energy: Energy) -> "Grid | None":
        """This grid for a similar energy, at one evaluation a node; None where the nodes do not suffice for it.

        They suffice while no mass leaves the box and every second plane remains dispensable. A mode that appears
        outside the box is not seen, so a long training should lay a new grid from time to time.
        """
        lattice, density = self.lattice, self.lattice.density
        if energy.dim != density.dim or not np.array_equal(_walls(energy, self.bounds), density.walls):
            return None
        twin = Density(energy, density.walls, density.origin)
        other = Lattice(lattice.chart, twin, lattice.starts, lattice.steps, lattice.counts)
        if other.log_total == -math.inf or other.tails().sum() > self.rtol:
            return None
        allowed = max(math.sqrt(self.rtol) if self.is_smooth else self.rtol, 2.0 * lattice.coarseness().max())
        coarseness = float(other.coarseness().max())
        if coarseness > allowed:
            return None
        # Half the steps give twice the digits of a smooth density.
        error = max(self.error, coarseness**2 if self.is_smooth else 2.0 * coarseness)
        return Grid(energy, self.bounds, other, self.rtol, error, twin.n_evaluations, self.is_smooth)


def grid(energy: Energy, *, bounds: Any = None, rtol: float = 1e-8) -> Grid:
    """Nodes and weights that resolve exp(-E) in one, two or three dimensions.

    All modes are searched first; a lattice is laid in coordinates made from them, widened until no mass is left
    outside, and refined until log Z changes by less than rtol; then a rule of SciPy's has to agree.

    Parameters
    ----------
    energy : of dimension 1, 2 or 3.
    bounds : (dim, 2) walls besides those of the energy's domain, infinite where there is none; None for none.
    rtol : relative error of Z that is aimed at, above 0.

    Returns
    -------
    Grid. Where rtol cannot be met (kinks, jumps, mass in sheets thinner than the finest step) its error is larger, and
    a FastebmWarning says so.

    Raises
    ------
    NotNormalisableError : exp(-E) has no finite integral, or none that can be told from an infinite one.
    ValueError : the energy is nan somewhere (the message names x); its dimension is above 3; the bounds and its domain
        have no interior in common.

    Notes
    -----
    A peak can only be found from values around it: one so narrow that it cannot be told from its surroundings at
    thousands of points, and whose flanks disappear under a wider peak, is missed. Bounds around it bring it to light.
    """
    rtol = _checks.positive(rtol, "rtol")
    refuse_discrete(energy, 'over which there is no integral; take method="enumeration" of eb.log_partition')
    if energy.dim > MAX_DIM:
        raise ValueError(
            f"{energy.name} has dim={energy.dim}, but quadrature ends at dim={MAX_DIM}; "
            "compare points by log_ratio, where Z cancels, and train by PersistentCD."
        )
    best = _resolved(Density(energy, _walls(energy, bounds)), _FOR_STEPS * rtol)
    lattice, error = _settled(best, energy.name)
    found = Grid(energy, bounds, lattice, rtol, error, 0, best.is_smooth())
    rounding = _rounding(found)
    if rounding > _HOPELESS:
        raise NotNormalisableError(
            f"{energy.name} changes by {rounding:.2g} between neighbouring floating-point numbers where its mass lies, "
            "so that exp(-E) cannot be integrated; move a pole to 0, or shift x so that the mass lies near 0."
        )
    found.error += rounding
    _ask_second_opinion(found)
    found.n_evaluations = lattice.density.n_evaluations
    return found


def _walls(energy: Energy, bounds: Any) -> FloatArray:
    """(dim, 2) what the domain and the bounds leave of the line for each coordinate."""
    everywhere = np.tile([-np.inf, np.inf], (energy.dim, 1))
    domain = everywhere if energy.domain is None else energy.domain
    given = _checks.box(bounds, energy.dim)
    if given is None:
        return domain
    walls = np.column_stack([np.maximum(domain[:, 0], given[:, 0]), np.minimum(domain[:, 1], given[:, 1])])
    if not (walls[:, 0] < walls[:, 1]).all():
        raise ValueError(
            f"bounds is {given.tolist()}, outside the domain {domain.tolist()} of {energy.name}; "
            "pass bounds that overlap with the domain."
        )
    return walls


def _resolved(density: Density, rtol: float) -> Refinement:
    """Refined lattices around the modes of the density, and again if they show a mode that was missed."""
    found = modes.modes(density)
    for _ in range(_N_SEARCHES):
        centred = density.recentred(density.x(found.centres[:1])[0])
        best = refinement.resolved(centred, found.moved(density, centred), rtol)
        missed = best.missed()
        if missed is None:
            break
        density = centred
        found = modes.modes(density, missed[None])
    return best


def _settled(best: Refinement, name: str) -> tuple[Lattice, float]:
    """The last lattice and the error of its log Z; refused where log Z does not settle, or grows with the box."""
    lattice, error = best.lattice, best.error()
    if lattice is None or math.isinf(error):
        raise NotNormalisableError(
            f"exp(-E) of {name} is too thin, or spreads too far, for a lattice that can be laid; "
            "pass bounds close around its mass, or rescale the coordinates."
        )
    if error > _HOPELESS:
        raise NotNormalisableError(
            f"log Z of {name} does not settle but differs by up to {error / 2.0:.2g} between lattices, as it does "
            "where exp(-E) has no finite integral; add a term that confines x, or pass bounds close around the mass."
        )
    tails = lattice.tails()
    if not tails.sum() < _HOPELESS:
        i, side = np.unravel_index(tails.argmax(), tails.shape)
        raise NotNormalisableError(
            f"exp(-E) of {name} falls too slowly towards the {('lower', 'upper')[side]} end of coordinate {i} to have "
            "a finite integral; add a term that confines x, or pass bounds."
        )
    error = max(error, _LEAST_CLAIM * best.rtol)
    return lattice, error + max(float(tails.sum()), tails.size * best.negligible)


def _rounding(found: Grid) -> float:
    """Mean change of the energy when points move to the next floating-point numbers: what rounding may do to log Z."""
    every = -(-len(found.points) // _N_PROBES)
    x, share = found.points[::every], found.probabilities[::every]
    signs = np.where((np.arange(len(x))[:, None] + np.arange(x.shape[1])) % 2, np.inf, -np.inf)
    with np.errstate(all="ignore"):
        change = np.abs(found.lattice.density.energies(np.nextafter(x, signs)) - found.lattice.density.energies(x))
    change = np.where(np.isfinite(change), change, 1.0)  # a wall inside the energy: the point may belong to either side
    return float(share @ change / share.sum()) + 16.0 * _EPS * (1.0 + abs(found.log_partition))


def _ask_second_opinion(found: Grid) -> None:
    """Let another rule find log Z; where the two disagree the error grows. Warns where the error is above rtol."""
    name, wanted = found.energy.name, found.rtol
    value, claimed = crosschecks.second_opinion(found.lattice)
    apart = abs(value - found.log_partition)
    if apart > found.error + _UNTRUSTED * claimed + _LOOSE[found.energy.dim]:
        message = (
            f"two quadrature rules find log Z of {name} to be {found.log_partition:.10g} and {value:.10g}, and neither "
            "can be ruled out; pass bounds close around the mass, or give jumps inside the energy as its domain."
        )
        found.error = apart
    elif found.error > wanted:
        message = (
            f"log Z of {name} is known to {found.error:.1e}, not to the rtol={wanted:.1e} asked for; raise rtol, or "
            "remove what limits it: jumps inside the energy (give them as its domain), kinks, poles away from 0."
        )
    else:
        return
    _checks.warn(message)
