"""The layout loses no point, threads share the work once each, and exceptions come through."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused

from fastebm import tiles

counts = st.integers(1, 5000)
dims = st.integers(1, 20000)


class TestShape:
    @given(counts, dims)
    def test_tiles_hold_every_point_and_no_whole_tile_is_empty(self, n, dim):
        n_tiles, width = tiles.shape(n, dim)
        assert (n_tiles - 1) * width < n <= n_tiles * width
        assert width % tiles.LANES == 0
        assert 1 <= width <= tiles.widest(dim) <= 64

    @given(counts, dims)
    def test_columns_that_stand_for_no_point_are_few(self, n, dim):
        n_tiles, width = tiles.shape(n, dim)
        assert n_tiles * width - n < max(tiles.LANES * n_tiles, width)

    @given(st.integers(1, 200), st.integers(1, 100), st.integers(1, 60))
    def test_groups_are_never_cut(self, n_groups, half, dim):
        n, group = 2 * half * n_groups, 2 * half
        n_tiles, width = tiles.shape(n, dim, group)
        assert width % group == 0
        assert width % (2 * tiles.LANES) == 0
        assert (n_tiles - 1) * width < n <= n_tiles * width

    @given(dims)
    def test_a_tile_and_a_copy_stay_in_the_cache(self, dim):
        width = tiles.widest(dim)
        assert width % tiles.LANES == 0
        assert width == tiles.LANES or 8 * dim * width <= 2**15

    def test_one_point_costs_a_lane(self):
        assert tiles.shape(1, 1) == tiles.shape(tiles.LANES, 10_000) == (1, tiles.LANES)

    @given(st.integers(2, 64), st.integers(1, 100))
    def test_there_is_something_to_share(self, threads, dim):
        assert tiles.shape(64 * threads, dim)[0] >= threads

    @given(st.integers(1, 200), st.integers(1, 5))
    def test_packing_and_unpacking_give_the_points_back(self, n, dim):
        X = np.arange(n * dim, dtype=float).reshape(n, dim)
        n_tiles, width = tiles.shape(n, dim)
        packed = tiles.pack(X, n_tiles, width)
        assert packed.shape == (n_tiles, dim, width)
        assert packed.flags.c_contiguous
        assert (tiles.unpack(packed, n) == X).all()
        for c in {0, n // 2, n - 1}:
            assert (packed[c // width, :, c % width] == X[c]).all()
        assert (packed[-1, :, -1] == X[-1]).all(), "spare columns must hold points of finite energy"


class TestRanges:
    @given(st.integers(0, 500), st.integers(1, 40))
    def test_they_cover_everything_once_and_evenly(self, n, n_parts):
        ranges = tiles.ranges(n, n_parts)
        assert [k for first, last in ranges for k in range(first, last)] == list(range(n))
        lengths = [last - first for first, last in ranges]
        assert max(lengths) - min(lengths) <= 1
        assert len(ranges) <= n_parts

    @given(st.integers(0, 500), st.integers(1, 40))
    def test_shares_are_ranges_of_which_those_at_work_together_lie_apart(self, n, n_threads):
        shares = tiles.shares(n, n_threads)
        assert sorted(k for first, last in shares for k in range(first, last)) == list(range(n))
        assert len(shares) <= max(1, 8 * n_threads)
        if n >= 8 * n_threads > 8:
            starts = sorted(first for first, _ in shares[:n_threads])
            assert np.diff(starts).min() >= 7 * (n // (8 * n_threads)), "neighbours slow each other down"

    @given(st.integers(1, 500))
    def test_groups_of_sums_depend_on_the_number_of_tiles_alone(self, n_tiles):
        groups = tiles.sum_groups(n_tiles)
        assert [k for first, last in groups for k in range(first, last)] == list(range(n_tiles))
        assert all(first < last for first, last in groups)


class TestThreads:
    def test_their_number(self):
        assert tiles.threads(3) == 3
        assert tiles.threads(None) >= 1
        refused(lambda: tiles.threads(0), "n_threads is 0")

    @given(st.integers(1, 20), st.integers(1, 5))
    def test_every_part_is_called_once(self, n, n_threads):
        calls = np.zeros(n, dtype=int)

        def call(first, last):
            calls[first:last] += 1

        tiles.run(call, tiles.ranges(n, n_threads), n_threads)
        assert (calls == 1).all()

    def test_parts_run_side_by_side(self):
        together = threading.Barrier(3, timeout=30)
        tiles.run(lambda first, last: together.wait(), [(0, 1), (1, 2), (2, 3)], 3)

    @pytest.mark.parametrize("bad", [0, 1, 2])
    def test_an_exception_is_raised_when_all_are_done(self, bad):
        finished = []

        def call(first, last):
            if first == bad:
                raise ArithmeticError(f"part {first}")
            time.sleep(0.02)
            finished.append(first)

        with pytest.raises(ArithmeticError, match=f"part {bad}"):
            tiles.run(call, [(0, 1), (1, 2), (2, 3)], 3)
        assert sorted([*finished, bad]) == [0, 1, 2]

    def test_more_parts_than_threads_and_many_callers(self):
        """Pools are shared between callers and dropped when many sizes are in use: no part may be lost by that."""
        def caller(n_threads):
            total = np.zeros(50, dtype=int)

            def call(first, last):
                total[first:last] += 1

            for _ in range(20):
                tiles.run(call, tiles.ranges(50, 9), n_threads)
            return total

        with ThreadPoolExecutor(8) as callers:
            for total in callers.map(caller, range(1, 9)):
                assert (total == 20).all()

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_threads_after_a_fork(self):
        """Threads do not survive a fork: a pool of the parent's would leave the child waiting for ever."""
        tiles.run(lambda first, last: None, [(0, 1), (1, 2)], 2)
        child = os.fork()
        if child == 0:
            calls = []
            tiles.run(lambda first, last: calls.append(first), [(0, 1), (1, 2)], 2)
            os._exit(0 if sorted(calls) == [0, 1] else 1)
        for _ in range(300):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.1)
        else:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        assert os.waitstatus_to_exitcode(status) == 0
