"""Columns of tiles as rows of draws: every number where it belongs, and no other changed."""

import numpy as np
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from fastebm._compile import TILE, TILES, VECTOR, compiled
from fastebm.sampling import draws as module

COLUMNS = types.Array(types.int64, 1, "C")


@compiled(types.void(TILE, VECTOR, types.intp, types.intp, types.intp, TILES, TILE, COLUMNS))
def keep(x, e, n_columns, first, draw, draws, energies, columns):
    module.keep(x, e, n_columns, first, draw, draws, energies, columns)


@given(
    st.one_of(st.integers(1, 13), st.integers(15, 18), st.integers(31, 34), st.integers(63, 67)),
    st.integers(0, 2), st.integers(1, 16), st.integers(0, 5), st.integers(1, 4), st.data(),
)
@settings(max_examples=150)
def test_columns_become_rows_and_nothing_else_is_touched(dim, n_clamped, n_columns, first, n_draws, data):
    columns = np.sort(np.random.default_rng(dim + 100 * first).permutation(dim + n_clamped)[:dim])
    draw = data.draw(st.integers(0, n_draws - 1))
    x, e = np.random.default_rng(n_columns).standard_normal((dim, 16)), np.arange(16.0)
    draws, energies = np.full((first + n_columns + 1, n_draws, dim + n_clamped), np.nan), np.full((30, n_draws), np.nan)
    wanted, wanted_energies = draws.copy(), energies.copy()
    wanted[first : first + n_columns, draw, columns] = x[:, :n_columns].T
    wanted_energies[first : first + n_columns, draw] = e[:n_columns]
    keep(x, e, n_columns, first, draw, draws, energies, columns)
    assert same(draws, wanted)
    assert same(energies, wanted_energies)
