"""Side files: what was appended comes back, in whatever blocks; one changed bit is always seen."""

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling import side_files
from fastebm.sampling.side_files import SideFile, checksum

MASK = 2**64 - 1
shapes = st.tuples(st.integers(1, 9), st.lists(st.integers(1, 7), max_size=4), st.integers(1, 5))


def drawn(seed, n_chains, n_draws, dim):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n_chains, n_draws, dim)), generator.standard_normal((n_chains, n_draws))


def slow_checksum(words, before):
    """The same by whole numbers of Python."""
    odd = 0x9E3779B97F4A7C15

    def step(state, word):
        state = (state ^ word) * odd & MASK
        return state ^ state >> 32

    lanes = [before ^ len(words), before, before, before]
    n_whole = len(words) // 4 * 4
    for i, word in enumerate(words[:n_whole]):
        lanes[i % 4] = step(lanes[i % 4], word)
    state = lanes[0]
    for word in [*words[n_whole:], *lanes[1:]]:
        state = step(state, word)
    return state


@given(st.lists(st.integers(0, MASK), max_size=20), st.integers(0, MASK))
def test_the_checksum_is_what_it_says(words, before):
    piece = np.array(words, dtype=np.uint64).view(np.float64)
    assert checksum(piece, before) == slow_checksum(words, before)


@given(st.lists(st.integers(0, MASK), min_size=1, max_size=20), st.integers(0, MASK), st.data())
def test_a_word_that_changes_always_shows(words, before, data):
    place, change = data.draw(st.integers(0, len(words) - 1)), data.draw(st.integers(1, MASK))
    other = [*words[:place], words[place] ^ change, *words[place + 1 :]]
    one, two = (checksum(np.array(some, dtype=np.uint64).view(np.float64), before) for some in (words, other))
    assert one != two


@given(shapes, st.integers(0, 2**32), st.integers(1, 300))
@settings(max_examples=40)
def test_blocks_come_back(tmp_path_factory, shape, seed, piece):
    """All of them, or the first ones, by any size of pieces; and another run at the same path begins anew."""
    n_chains, blocks, dim = shape
    path = tmp_path_factory.mktemp("side") / "run"
    draws, energies = drawn(seed, n_chains, sum(blocks) + 1, dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_files, "_PIECE", piece)
        side, totals = SideFile(path), [0]
        for k, n in enumerate(blocks):
            some = slice(sum(blocks[:k]), sum(blocks[:k]) + n)
            side.append(draws[:, some], energies[:, some])
            totals.append(side.checksum)
        assert side.blocks == blocks
        for k in range(len(blocks) + 1):
            n = sum(blocks[:k])
            again, again_e = np.full_like(draws, 7.0), np.full_like(energies, 7.0)
            twin = SideFile(path)
            twin.read(blocks[:k], totals[k], again, again_e)
            assert same(again[:, :n], draws[:, :n])
            assert same(again_e[:, :n], energies[:, :n])
            assert (again[:, n:] == 7.0).all()
            assert (twin.n_draws, twin.checksum) == (n, totals[k])
        new = SideFile(path)
        new.append(draws[:, :1], energies[:, :1])
        assert new.path.stat().st_size == 8 * n_chains * (dim + 1)


@given(st.data())
@settings(max_examples=40)
def test_damage_is_seen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("side") / "run"
    draws, energies = drawn(3, 3, 5, 2)
    side = SideFile(path)
    side.append(draws, energies)
    content = side.path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    for damaged in (bytes(changed), content[: bit // 8], b""):
        side.path.write_bytes(damaged)
        refused(
            lambda: SideFile(path).read([5], side.checksum, draws.copy(), energies.copy()), "run.draws", "damaged",
            kind=FileFormatError,
        )
    side.path.unlink()
    refused(
        lambda: SideFile(path).read([5], side.checksum, draws, energies), "cannot be read", kind=FileFormatError
    )


def test_what_could_not_be_written_is_written_over(tmp_path, monkeypatch):
    """As on a full disk, in the middle of a block."""
    draws, energies = drawn(5, 4, 6, 3)
    side = SideFile(tmp_path / "run")
    side.append(draws[:, :2], energies[:, :2])
    whole = side_files.checksum

    def failing(piece, before):
        if piece.ndim == 2:  # the energies, after the positions have been written
            raise OSError(28, "No space left on device")
        return whole(piece, before)

    with monkeypatch.context() as patch:
        patch.setattr(side_files, "checksum", failing)
        refused(lambda: side.append(draws[:, 2:], energies[:, 2:]), "No space left", "free space", kind=FileWriteError)
    assert side.blocks == [2]
    side.append(draws[:, 2:], energies[:, 2:])
    again, again_e = np.empty_like(draws), np.empty_like(energies)
    SideFile(tmp_path / "run").read([2, 4], side.checksum, again, again_e)
    assert same(again, draws)
    assert same(again_e, energies)
