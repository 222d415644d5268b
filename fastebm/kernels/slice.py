"""Slice sampling: a level under the density at x, and a new x from where the density is above it; no step is wrong."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.energies import Energy, Gaussian
from fastebm.energies.catalogue.gaussian import log_volume
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, move, note_faults
from fastebm.lanes.lane import as_lane, count, is_any, load, load_row, store, store_row
from fastebm.streams import (
    chosen_streams,
    lane_exponentials,
    lane_uniforms,
    load_streams,
    store_normals,
    store_streams,
)
from fastebm.tiles import LANES

MOST_WIDTHS = 16  # of the interval after stepping out
MOST_SHRINKS = 200  # then an interval is shorter than the spacing of numbers about x
TURN = 2.0 * math.pi


class Slice(Kernel):
    """x_i becomes uniform on a part of the slice {x_i : E(x) <= E(here) - log u}, for i = 1, ..., dim; or an ellipse.

    Without a prior: an interval of the width `step_size` is laid about x_i at random, grown by its width at either end
    while that end is in the slice, up to 16 widths in all, and shrunk towards x_i by each point drawn from it that is
    not in the slice. With a prior all of x moves at once, along an ellipse through x and a draw from the prior, whose
    angle is shrunk likewise; the slice is that of E(x) - prior(x).

    Parameters
    ----------
    step_size : width of the first interval in each coordinate, one number or (dim,) numbers, above 0, final as given.
        Any leaves exp(-E) invariant; short ones cost expansions and long ones contractions. None: tuned in warm-up,
        pooled over chains, together with the widths of the coordinates, until both are as frequent; then frozen.
    prior : None, or an `eb.Gaussian`, for energies that are the sum of it and of another. exp(-E) is left invariant
        whatever Gaussian that is, but moves are long only if what is left of E is flat. There is no step size then.

    Notes
    -----
    After 200 contractions of one interval x_i stays as it is. Nothing of the law is changed by that, since the way back
    would contract as often. Points where E is nan or -inf count as outside of every slice.

    References
    ----------
    R. M. Neal (2003), Slice sampling, doi:10.1214/aos/1056562461.
    I. Murray, R. P. Adams and D. J. C. MacKay (2010), Elliptical slice sampling, Proceedings of Machine Learning
        Research 9.
    M. M. Tibbits, C. Groendyke, M. Haran and J. C. Liechty (2014), doi:10.1007/s11222-013-9416-2 (tuning).
    """

    has_rejections = False
    acceptance_tells = False

    def __init__(self, step_size: ArrayLike | None = None, *, prior: Gaussian | None = None) -> None:
        self.prior = prior
        if prior is None:
            self.step_size = _checks.step_size(step_size)
        else:
            _checks.instance(prior, Gaussian, "prior", "eb.Gaussian([0.0, 0.0])")
            if not math.isfinite(log_volume(prior.unpack()["precision_factor"])):
                raise ValueError("prior has a precision_factor with 0 on its diagonal; pass a Gaussian with draws.")
            if step_size is not None:
                raise ValueError(f"step_size is {step_size}, but an ellipse has none; pass one of step_size and prior.")
            self.step_size = 1.0
        self.is_reversible = prior is not None  # a sweep in fixed order is not

    def refuse(self, energy: Energy) -> None:
        super().refuse(energy)
        if self.prior is not None and self.prior.dim != energy.dim:
            raise ValueError(
                f"prior has dim={self.prior.dim}, but {energy.name} has dim={energy.dim}, without clamped coordinates; "
                "pass a prior of all that moves."
            )

    @property
    def advance(self) -> Compiled:
        return advance if self.prior is None else advance_ellipse

    def n_scratch(self, dim: int) -> int:
        return dim + 15 if self.prior is None else 2 * dim + 11

    def n_memory(self, dim: int) -> int:
        """How often intervals were grown, and how often they were shrunk."""
        return 2 if self.prior is None else 0

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """Widths (dim,); or the prior's mean, and behind it its precision's root, (dim,) or (dim * dim,)."""
        if self.prior is None:
            return np.ascontiguousarray(step_size * scale)
        mean, factor = self.prior.unpack().values()
        return np.concatenate([mean, np.ravel(factor)])

    def first_step_size(self, dim: int) -> float:
        return 2.0

    def target_acceptance(self, dim: int) -> float:
        """The share of expansions among expansions and contractions."""
        return 0.5

    def rates(self, accepted: float, told: FloatArray) -> float:
        """The share of expansions: large where intervals are too short."""
        n_changes = float(told.sum())
        return float(told[0]) / n_changes if n_changes > 0.0 else math.nan

    def describe(self) -> dict[str, object]:
        described = super().describe()
        return described if self.prior is None else {**described, "step_size": None}

    def __repr__(self) -> str:
        return f"Slice(step_size={self.step_size})" if self.prior is None else f"Slice(prior={self.prior})"


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Sweeps of one tile; `settings` (dim,) holds the widths. See `kernel`.

    Each column goes through its coordinates at its own pace, so that one call of the energy serves columns that step
    out here and shrink there. A column's stream moves on only as it is asked for.
    """
    dim, width = x.shape
    y = scratch[:dim]
    e_y, row, level, low, high = scratch[dim], scratch[dim + 1], scratch[dim + 2], scratch[dim + 3], scratch[dim + 4]
    below, above, n_shrinks = scratch[dim + 5], scratch[dim + 6], scratch[dim + 7]  # how often each may still happen
    here, point, span, site = scratch[dim + 8], scratch[dim + 9], scratch[dim + 10], scratch[dim + 11]
    todo, moved, new = scratch[dim + 12], scratch[dim + 13], scratch[dim + 14]
    y[:] = x
    here[:] = x[0]
    span[:] = settings[0]
    site[:] = 0.0
    moved[:] = 0.0
    todo[:] = float(n_transitions * dim)
    new[:] = 1.0
    while True:
        is_over = True
        for l in range(0, width, LANES):
            is_on = load_row(todo, l) > 0.0
            if is_any(is_on):
                is_over = False
            is_new = is_on & (load_row(new, l) > 0.0)
            before = load_streams(streams, l)
            exponential, state = lane_exponentials(before)
            offset, state = lane_uniforms(state)
            share, state = lane_uniforms(state)
            state = chosen_streams(is_new, state, before)
            first = load_row(here, l) - offset * load_row(span, l)
            n_below = np.floor(MOST_WIDTHS * share)
            n_above = MOST_WIDTHS - 1.0 - n_below
            bottom = np.where(is_new, first, load_row(low, l))
            top = np.where(is_new, first + load_row(span, l), load_row(high, l))
            n_below = np.where(is_new, n_below, load_row(below, l))
            n_above = np.where(is_new, n_above, load_row(above, l))
            store_row(level, l, np.where(is_new, load_row(e, l) + exponential, load_row(level, l)))
            store_row(n_shrinks, l, np.where(is_new, float(MOST_SHRINKS), load_row(n_shrinks, l)))
            store_row(low, l, bottom)
            store_row(high, l, top)
            store_row(below, l, n_below)
            store_row(above, l, n_above)
            is_inner = (n_below <= 0.0) & (n_above <= 0.0)
            uniform, after = lane_uniforms(state)
            store_streams(streams, l, chosen_streams(is_on & is_inner, after, state))
            drawn = bottom + uniform * (top - bottom)
            wanted = np.where(is_inner, drawn, np.where(n_below > 0.0, bottom, top))
            store_row(point, l, np.where(is_on, wanted, load_row(here, l)))
        if is_over:
            break
        for c in range(width):
            y[int(site[c]), c] = point[c]
        energy(y, packed, e_y)
        for l in range(0, width, LANES):
            there, at, x_i = load_row(e_y, l), load_row(point, l), load_row(here, l)
            is_on = load_row(todo, l) > 0.0
            is_number = there > -np.inf
            note_faults(is_number | ~is_on, l, y, n_faults, fault_x, row)
            is_inside = is_number & (there <= load_row(level, l)) & (there < np.inf)
            n_below, n_above = load_row(below, l), load_row(above, l)
            is_bottom = is_on & (n_below > 0.0)
            is_top = is_on & ~is_bottom & (n_above > 0.0)
            is_inner = is_on & ~is_bottom & ~is_top
            store_row(below, l, np.where(is_bottom, np.where(is_inside, n_below - 1.0, 0.0), n_below))
            store_row(above, l, np.where(is_top, np.where(is_inside, n_above - 1.0, 0.0), n_above))
            is_cut = is_inner & ~is_inside
            bottom = np.where(is_bottom & is_inside, load_row(low, l) - load_row(span, l), load_row(low, l))
            top = np.where(is_top & is_inside, load_row(high, l) + load_row(span, l), load_row(high, l))
            store_row(low, l, np.where(is_cut & (at < x_i), at, bottom))
            store_row(high, l, np.where(is_cut & (at >= x_i), at, top))
            n_left = np.where(is_cut, load_row(n_shrinks, l) - 1.0, load_row(n_shrinks, l))
            store_row(n_shrinks, l, n_left)
            store(memory, 0, l, load(memory, 0, l) + as_lane((is_bottom | is_top) & is_inside))
            store(memory, 1, l, load(memory, 1, l) + as_lane(is_cut))

            is_taken = is_inner & is_inside
            is_done = is_taken | (is_cut & (n_left <= 0.0))
            store_row(here, l, np.where(is_taken, at, x_i))
            store_row(e, l, np.where(is_taken, there, load_row(e, l)))
            is_last = is_done & (load_row(site, l) == dim - 1.0)
            has_moved = is_taken | (load_row(moved, l) > 0.0)
            count(n_accepted, l, is_last & has_moved)
            store_row(moved, l, as_lane(has_moved & ~is_last))
            store_row(todo, l, load_row(todo, l) - as_lane(is_done))
            store_row(new, l, as_lane(is_done))
        for c in range(width):
            if new[c] > 0.0:
                i = int(site[c])
                x[i, c] = here[c]
                y[i, c] = here[c]
                i = i + 1 if i + 1 < dim else 0
                site[c], here[c], span[c] = float(i), x[i, c], settings[i]


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance_ellipse(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile along ellipses; `settings` holds the prior's mean and root. See `kernel`.

    With z = L^T (x - mean) and a standard normal n, the prior's energy at the angle a is |z cos a + n sin a|**2 / 2.
    """
    dim, width = x.shape
    mean, root = settings[:dim], settings[dim:]
    y, other = scratch[:dim], scratch[dim : 2 * dim]
    e_y, row, level, low, high, angle = (
        scratch[2 * dim], scratch[2 * dim + 1], scratch[2 * dim + 2], scratch[2 * dim + 3], scratch[2 * dim + 4],
        scratch[2 * dim + 5],
    )
    on, zz, zn, nn = scratch[2 * dim + 6], scratch[2 * dim + 7], scratch[2 * dim + 8], scratch[2 * dim + 9]
    prior = scratch[2 * dim + 10]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = store_normals(load_streams(streams, l), other, l)
            whiten(x, mean, root, y, l)
            squared, crossed, drawn = as_lane(0.0), as_lane(0.0), as_lane(0.0)
            for i in range(dim):
                z, n = load(y, i, l), load(other, i, l)
                squared += z * z
                crossed += z * n
                drawn += n * n
            colour(root, other, l)
            exponential, state = lane_exponentials(state)
            uniform, state = lane_uniforms(state)
            store_streams(streams, l, state)
            store_row(level, l, load_row(e, l) - 0.5 * squared + exponential)
            store_row(zz, l, squared)
            store_row(zn, l, crossed)
            store_row(nn, l, drawn)
            store_row(angle, l, TURN * uniform)
            store_row(high, l, TURN * uniform)
            store_row(low, l, TURN * uniform - TURN)
            store_row(on, l, as_lane(1.0))
        for _k in range(MOST_SHRINKS):
            for l in range(0, width, LANES):
                cosine, sine = np.cos(load_row(angle, l)), np.sin(load_row(angle, l))
                for i in range(dim):
                    store(y, i, l, mean[i] + (load(x, i, l) - mean[i]) * cosine + load(other, i, l) * sine)
                twice = load_row(zz, l) * cosine * cosine + load_row(nn, l) * sine * sine
                store_row(prior, l, 0.5 * twice + load_row(zn, l) * cosine * sine)
            energy(y, packed, e_y)
            is_over = True
            for l in range(0, width, LANES):
                there, at, is_on = load_row(e_y, l), load_row(angle, l), load_row(on, l) > 0.0
                is_number = there > -np.inf
                note_faults(is_number | ~is_on, l, y, n_faults, fault_x, row)
                is_inside = is_number & (there - load_row(prior, l) <= load_row(level, l)) & (there < np.inf)
                is_taken = is_on & is_inside
                move(is_taken, l, x, y)
                store_row(e, l, np.where(is_taken, there, load_row(e, l)))
                count(n_accepted, l, is_taken)
                is_on = is_on & ~is_inside
                store_row(on, l, as_lane(is_on))
                if is_any(is_on):
                    is_over = False
                bottom = np.where(at < 0.0, at, load_row(low, l))
                top = np.where(at < 0.0, load_row(high, l), at)
                before = load_streams(streams, l)
                uniform, state = lane_uniforms(before)
                store_streams(streams, l, chosen_streams(is_on, state, before))
                store_row(low, l, bottom)
                store_row(high, l, top)
                store_row(angle, l, bottom + uniform * (top - bottom))
            if is_over:
                break


@inlined_borrowing
def whiten(x, mean, root, y, l):  # type: ignore[no-untyped-def]
    """y = L^T (x - mean), for the lower triangular matrix L (dim * dim,) = root, or its diagonal (dim,)."""
    dim = x.shape[0]
    for j in range(dim):
        if root.shape[0] == dim:
            store(y, j, l, root[j] * (load(x, j, l) - mean[j]))
        else:
            total = root[j * dim + j] * (load(x, j, l) - mean[j])
            for i in range(j + 1, dim):
                total += root[i * dim + j] * (load(x, i, l) - mean[i])
            store(y, j, l, total)


@inlined_borrowing
def colour(root, y, l):  # type: ignore[no-untyped-def]
    """y becomes L^-T y, by back substitution; see `whiten`."""
    dim = y.shape[0]
    for j in range(dim - 1, -1, -1):
        if root.shape[0] == dim:
            store(y, j, l, load(y, j, l) / root[j])
        else:
            total = load(y, j, l)
            for i in range(j + 1, dim):
                total -= root[i * dim + j] * load(y, i, l)
            store(y, j, l, total / root[j * dim + j])
