"""-log sum_k w_k exp(-E_k): mixtures of densities."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, calling, key_of
from fastebm.energies.algebra.discrete import common_values
from fastebm.energies.energy import Energy, Moments
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic, drawn_parts, mixed_moments
from fastebm.lanes.lane import as_lane, lane_sum, load, load_row, store, store_row
from fastebm.lanes.language import sigmoid, where
from fastebm.tiles import LANES


def mixture(energies: Iterable[Energy], weights: ArrayLike | None = None) -> Energy:
    """E(x) = -log sum_k w_k exp(-E_k(x)), a mixture of the densities of its parts.

    Parameters
    ----------
    energies : at least one energy, all of the same dimension.
    weights : (n_parts,) positive; equal and with sum 1 if None. They need not sum to 1: Z = sum_k w_k Z_k, so that part
        k has the probability w_k Z_k / Z, which is w_k only if all parts are normalised.

    Returns
    -------
    An energy with the parameters `log_weights` (n_parts,), then those of its parts; names that several parts have get
    _1, _2, ... behind them. A part that is +inf at x counts for nothing there; where all are, so is E, with the
    gradient 0.

    Raises
    ------
    ValueError : no energies; different dimensions; weights of another length, not positive or not finite.
    TypeError : something else than energies.

    Examples
    --------
    >>> import fastebm as eb
    >>> E = eb.mixture([eb.Gaussian([0.0]), eb.DoubleWell()], [0.3, 0.7])
    >>> list(E.unpack())
    ['log_weights', 'mean', 'precision_factor', 'barrier', 'location', 'tilt']
    """
    if isinstance(energies, Energy) or not isinstance(energies, Iterable):
        raise TypeError(f"energies is of type {type(energies).__name__}; pass a list, for example [E1, E2].")
    parts = list(energies)
    if not parts:
        raise ValueError("energies is empty; pass at least one energy.")
    for k, part in enumerate(parts):
        _checks.instance(part, Energy, f"energies[{k}]", "eb.Gaussian([0.0])")
        if part.dim != parts[0].dim:
            raise ValueError(
                f"energies[{k}] has dim={part.dim} and energies[0] has dim={parts[0].dim}; "
                "mix energies of the same dimension."
            )
    n = len(parts)
    shares = np.full(n, 1.0 / n) if weights is None else _checks.finite_array(weights, "weights", (n,))
    if not (shares > 0.0).all():
        raise ValueError(f"weights has the entry {shares.min()}; pass weights above 0.")
    return Mixture(parts, np.log(shares))


class Mixture(Combined):
    """-log sum_k exp(log_weights[k] - E_k(x)); made by `mixture`."""

    kind = "mixture"

    def __init__(self, parts: Sequence[Energy], log_weights: FloatArray) -> None:
        values = common_values(parts)
        program = _program(*(part.program for part in parts))
        name = f"mixture of {len(parts)} energies"
        domain = _hull([part.domain for part in parts], parts[0].dim)
        super().__init__(parts, program, name, domain=domain, own={"log_weights": log_weights})
        self.values = values

    def settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts, np.zeros(len(parts)))

    @property
    def _log_weights(self) -> FloatArray:
        return self.theta[: len(self.parts)]

    def _log_masses(self) -> list[float] | None:
        """log w_k Z_k, where all Z_k are known."""
        masses = [part.closed_log_partition() for part in self.parts]
        known = [weight + mass for weight, mass in zip(self._log_weights, masses, strict=True) if mass is not None]
        return known if len(known) == len(masses) else None

    def closed_log_partition(self) -> float | None:
        masses = self._log_masses()
        return None if masses is None else float(np.logaddexp.reduce(masses))

    def closed_moments(self) -> Moments | None:
        masses, moments = self._log_masses(), [part.closed_moments() for part in self.parts]
        known = [one for one in moments if one is not None]
        if masses is None or len(known) < len(moments):
            return None
        return Moments(*mixed_moments(masses, *zip(*known, strict=True)))

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        masses = self._log_masses()
        if masses is None or not np.isfinite(masses).all():
            return None
        chosen = drawn_parts(masses, n, generator)
        points = np.empty((n, self.dim))
        for k, part in enumerate(self.parts):
            drawn = part.closed_draws(int(np.count_nonzero(chosen == k)), generator)
            if drawn is None:
                return None
            points[chosen == k] = drawn
        return points

    def quadratics(self) -> list[Quadratic] | None:
        terms = []
        for log_weight, part in zip(self._log_weights, self.parts, strict=True):
            inner = part.quadratics()
            if inner is None:
                return None
            terms += [term._replace(least=term.least - float(log_weight)) for term in inner]
        return terms


def _hull(domains: Sequence[FloatArray | None], dim: int) -> FloatArray | None:
    """The smallest box around all; the parts' own walls are +inf in their energies."""
    known = [domain for domain in domains if domain is not None]
    if len(known) < len(domains):
        return None
    lower, upper = np.array(known).transpose(2, 0, 1)
    return _checks.box(np.column_stack([lower.min(axis=0), upper.max(axis=0)]), dim, "the domain of the mixture")


@programs.composed
def _program(*parts: Program) -> Program:
    n = len(parts)

    def energy() -> Any:
        part_energy = calling("energy", parts, n)

        def tile_energy(x: Any, packed: Any, e: Any) -> None:
            more_e = np.empty(len(e))
            _filled(e, np.inf)
            for k in range(n):
                part_energy(k, x, packed, more_e)
                for l in range(0, len(e), LANES):
                    store_row(e, l, _mixed(load_row(e, l), load_row(more_e, l) - packed[k]))

        return tile_energy

    def grad() -> Any:
        part_grad = calling("grad", parts, n)

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            more_e, more_g = np.empty(len(e)), np.empty(g.shape)
            _filled(e, np.inf)
            for i in range(g.shape[0]):
                _filled(g[i], 0.0)
            for k in range(n):
                part_grad(k, x, packed, more_e, more_g)
                for l in range(0, len(e), LANES):
                    here, there = load_row(e, l), load_row(more_e, l) - packed[k]
                    keeps, gets = _shares(here, there)
                    store_row(e, l, _mixed(here, there))
                    for i in range(g.shape[0]):
                        store(g, i, l, _times(keeps, load(g, i, l)) + _times(gets, load(more_g, i, l)))

        return tile_grad

    def hvp() -> Any:
        part_energy, part_hvp = calling("energy", parts, n), calling("hvp", parts, n)

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            e, more_e = np.empty(g.shape[1]), np.empty(g.shape[1])
            more_g, more_h = np.empty(g.shape), np.empty(g.shape)
            _filled(e, np.inf)
            for i in range(g.shape[0]):
                _filled(g[i], 0.0)
                _filled(h[i], 0.0)
            for k in range(n):
                part_energy(k, x, packed, more_e)
                part_hvp(k, x, v, packed, more_g, more_h)
                for l in range(0, len(e), LANES):
                    here, there = load_row(e, l), load_row(more_e, l) - packed[k]
                    keeps, gets = _shares(here, there)
                    store_row(e, l, _mixed(here, there))
                    turn = as_lane(0.0)
                    for i in range(g.shape[0]):
                        turn += (load(more_g, i, l) - load(g, i, l)) * load(v, i, l)
                    turn = _times(keeps * gets, turn)
                    for i in range(g.shape[0]):
                        one, other = load(g, i, l), load(more_g, i, l)
                        bend = _times(keeps, load(h, i, l)) + _times(gets, load(more_h, i, l))
                        store(h, i, l, bend - _times(turn, other - one))
                        store(g, i, l, _times(keeps, one) + _times(gets, other))

        return tile_hvp

    def grad_theta() -> Any:
        part_energy, part_grad_theta = calling("energy", parts, n), calling("grad_theta", parts, n)

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            e, each_e = np.empty(x.shape[1]), np.empty((n, x.shape[1]))
            _filled(e, np.inf)
            for k in range(n):
                part_energy(k, x, packed, each_e[k])
                for l in range(0, len(e), LANES):
                    store(each_e, k, l, load(each_e, k, l) - packed[k])
                    store_row(e, l, _mixed(load_row(e, l), load(each_e, k, l)))
            share, weighted, counted = np.empty(len(e)), np.empty(len(e)), np.empty(x.shape)
            for k in range(n):
                total = as_lane(0.0)
                for l in range(0, len(e), LANES):
                    there = load(each_e, k, l)
                    part = where(there == math.inf, 0.0, math.exp(load_row(e, l) - there))
                    store_row(share, l, part)
                    store_row(weighted, l, part * load_row(weights, l))
                    total += load_row(weighted, l)
                out[k] -= lane_sum(total)
                if _counted(x, share, counted):
                    part_grad_theta(k, counted, packed, weighted, out)

        return tile_grad_theta

    return programs.build(
        parts[0].dim, n + sum(part.n_params for part in parts), n + sum(part.n_packed for part in parts),
        "mixture", key_of("mixture", *parts), Makers(energy, grad, grad_theta, hvp),
    )


# ---- of lanes: the mixture of two energies a and b, from which that of many is made one by one ----


@inlined
def _mixed(a, b):  # type: ignore[no-untyped-def]
    """-log(exp(-a) + exp(-b)); two infinities are equal, and their difference is not to be asked for."""
    gap = where(a == b, 0.0, abs(a - b))
    return min(a, b) - math.log1p(math.exp(-gap))


@inlined
def _shares(a, b):  # type: ignore[no-untyped-def]
    """exp(-a) and exp(-b) over their sum; a part that is +inf has none."""
    is_out = b == math.inf
    return where(is_out, 1.0, sigmoid(b - a)), where(is_out, 0.0, sigmoid(a - b))


@inlined
def _times(share, value):  # type: ignore[no-untyped-def]
    """Their product; where the share is 0 also of a value that is infinite or nan."""
    return where(share == 0.0, 0.0, share * value)


# ---- of tiles ----


@inlined
def _filled(row, value):  # type: ignore[no-untyped-def]
    for l in range(0, len(row), LANES):
        store_row(row, l, as_lane(value))


@inlined
def _counted(x, share, out):  # type: ignore[no-untyped-def]
    """Copy to `out` the columns of x with a share, and in the place of others one of these; False if there is none.

    What has no share must not be asked for: weighted with 0 its slopes could still be nan.
    """
    some = len(share) - 1
    while some >= 0 and share[some] == 0.0:
        some -= 1
    if some < 0:
        return False
    for l in range(0, len(share), LANES):
        is_in = load_row(share, l) != 0.0
        for i in range(x.shape[0]):
            store(out, i, l, where(is_in, load(x, i, l), x[i, some]))
    return True
