"""Machine code is made when it is needed, kept where it may be kept, never stale."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import fastebm
from fastebm import FastebmWarning, _compile, _edits
from fastebm._compile import Compiled, compiled

NUMBER = numba.float64(numba.float64)


def triple(x):
    return 3.0 * x


def make(function=triple, key="a key", signature=NUMBER):
    """A fresh object around a function, as a new process would have it."""
    return Compiled(lambda: function, signature, key, "the function")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path / "fastebm"


class TestDisk:
    def test_what_is_there_is_not_compiled_again(self, folder, compilations):
        assert make()(2.0) == 6.0
        assert compilations() == 1
        (file,) = folder.iterdir()
        assert file.name.startswith("the_function-")
        assert make()(3.0) == 9.0
        assert compilations() == 0

    def test_nothing_happens_before_the_first_use(self, folder, compilations):
        lazy = compiled(NUMBER)(triple)
        assert compilations() == 0
        assert not folder.exists()
        assert lazy(1.0) == 3.0

    @pytest.mark.parametrize("damage", [
        lambda code: b"", lambda code: code[:20], lambda code: code[:-1], lambda code: code[:100] + b"x" + code[101:],
        lambda code: code[32:],
    ], ids=["empty", "stump", "short", "changed", "headless"])
    def test_a_damaged_file_is_replaced(self, folder, compilations, damage):
        make()(1.0)
        (file,) = folder.iterdir()
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        compilations()
        assert make()(2.0) == 6.0
        assert compilations() == 1
        assert make()(2.0) == 6.0
        assert compilations() == 0

    def test_key_signature_flags_target_and_sources_tell_files_apart(self, folder, monkeypatch):
        def file_of(**changes):
            before = set(folder.iterdir()) if folder.exists() else set()
            make(**changes)(1.0)
            return len(set(folder.iterdir()) - before)

        assert file_of() == 1
        assert file_of() == 0
        assert file_of(key="another key") == 1
        assert file_of(signature=numba.float64(numba.int64)) == 1
        monkeypatch.setattr(_compile, "FLAGS", {**_compile.FLAGS, "fastmath": {"contract", "nsz"}})
        _compile._environment.cache_clear()
        assert file_of() == 1
        monkeypatch.undo()
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder.parent))
        _compile._environment.cache_clear()
        assert file_of() == 0

    def test_code_without_a_key_is_not_kept(self, folder, compilations):
        assert make(key=None)(2.0) == 6.0
        assert compilations() == 1
        assert not folder.exists()

    def test_addresses_are_not_kept(self, folder):
        """Numba refers to arrays above 1 MB by their address, which means nothing to the next process."""
        large = np.arange(200_000.0)

        def look_up(x):
            return large[int(x)]

        assert make(look_up)(3.0) == 3.0
        assert not folder.exists()

    def test_threads_that_need_the_same_function_at_once(self, folder):
        lazy = make()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lazy, [1.0, 2.0, 3.0, 4.0])) == [3.0, 6.0, 9.0, 12.0]


class TestFolderThatCannotBeWritten:
    def works_and_warns_once(self, words):
        _compile._warn_once.cache_clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = [make()(2.0), make()(2.0)]
        assert results == [6.0, 6.0]
        (warning,) = caught
        assert warning.category is FastebmWarning
        message = str(warning.message)
        assert all(word in message for word in [*words, "NUMBA_CACHE_DIR"])
        assert message.count(";") == 1
        assert message.endswith(".")

    def test_a_file_is_in_its_place(self, folder):
        folder.write_text("in the way")
        self.works_and_warns_once([str(folder)])

    @pytest.mark.parametrize("call", ["mkstemp", "replace"])
    def test_full_disk(self, folder, monkeypatch, call):
        def full(*_args, **_kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr({"mkstemp": tempfile, "replace": os}[call], call, full)
        self.works_and_warns_once([str(folder), "No space left"])
        monkeypatch.undo()
        assert not list(folder.iterdir()), "no half-written file stays behind"

    def test_its_place(self, monkeypatch, tmp_path):
        monkeypatch.setattr(numba.config, "CACHE_DIR", "")
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert _compile.cache_folder() == tmp_path / "fastebm"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert _compile.cache_folder() == Path.home() / ".cache" / "fastebm"


DEFINE = """
import logging, sys
import numpy as np
import fastebm as eb
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

def half(a):
    return 0.5 * a

@eb.energy(dim=2, theta={"k": 3.0})
def spring(x, theta):
    return theta.k * half(x[0] ** 2 + x[1] ** 2)
"""
ONE = f"{DEFINE}print(spring.energy([1.0, 2.0]).hex())"
SEVERAL = f"""{DEFINE}
E = 0.5 * (spring + spring.with_theta(k=4.0))
print(E.energy([1.0, 2.0]).hex(), spring.grad([1.0, 2.0]))
"""


def run(script, cache, **environment):
    """The lines that a new process prints for the script, and how many functions it compiled."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment},
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    result = [line for line in lines if not line.startswith("compiling")]
    return result, len(lines) - len(result)


def test_new_processes_and_edited_sources(tmp_path):
    """A new process compiles nothing, and an edit of a helper of the user's compiles what depends on it."""
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(SEVERAL)
    first, n = run(script, cache)
    assert n >= 6
    again, n_again = run(script, cache)
    assert again == first
    assert n_again == 0
    script.write_text(SEVERAL.replace("0.5 * a", "0.25 * a"))
    other, n_other = run(script, cache)
    assert other != first
    assert 0 < n_other < n


def test_code_of_several_processes_is_not_mixed_up(tmp_path):
    """Two energies of one form, each compiled first in a process of its own, and then used together."""
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    define = (
        "import fastebm as eb\n"
        "def of(n):\n"
        "    @eb.energy(dim=2, theta={'skipped': [7.0] * n, 'wanted': [float(n), 1.0]})\n"
        "    def energy(x, theta):\n"
        "        return theta.wanted[0] * x[0] + theta.wanted[1] * x[1]\n"
        "    return energy.energy([1.0, 1.0])\n"
    )
    for n in (2, 30):
        script.write_text(f"{define}print(of({n}))\n")
        assert run(script, cache)[0] == [str(n + 1.0)]
    script.write_text(f"{define}print(of(2), of(30), of(2))\n")
    assert run(script, cache) == (["3.0 31.0 3.0"], 0)


def test_a_module_that_is_renamed_keeps_its_code(tmp_path):
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    (tmp_path / "first.py").write_text(ONE)
    script.write_text("import first")
    before, _ = run(script, cache)
    (tmp_path / "first.py").rename(tmp_path / "second.py")
    script.write_text("import second")
    assert run(script, cache) == (before, 0)


def test_an_edit_anywhere_in_the_library_makes_all_code_anew(tmp_path, monkeypatch):
    library = tmp_path / "fastebm"
    shutil.copytree(Path(fastebm.__file__).parent, library, ignore=shutil.ignore_patterns("__pycache__"))
    here = _compile._environment.__wrapped__()
    monkeypatch.setattr(_edits, "FOLDER", library)
    assert _compile._environment.__wrapped__() == here
    edited = library / "lanes" / "vectors.py"
    edited.write_text(edited.read_text() + "\n")
    assert _compile._environment.__wrapped__() != here


def test_a_process_whose_sources_are_edited_meanwhile_leaves_nothing_to_others(tmp_path):
    """It runs what the sources were; under their new name its code would be stale for ever."""
    library, script, cache = tmp_path / "fastebm", tmp_path / "script.py", tmp_path / "cache"
    shutil.copytree(Path(fastebm.__file__).parent, library, ignore=shutil.ignore_patterns("__pycache__"))
    source = library / "lanes" / "vectors.py"
    edit = f"import time, fastebm\ntime.sleep(0.1)\nopen({str(source)!r}, 'a').write('\\n')\n"
    script.write_text(edit + ONE)
    first, n = run(script, cache)
    script.write_text(ONE)
    assert run(script, cache) == (first, n)
    assert run(script, cache) == (first, 0)


BRANCH = """
import logging, sys, warnings
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
import fastebm as eb

def kink(a):
    if a > 0.0:
        return 2.0 * a
    return -a

@eb.energy(dim=1)
def kinked(x):
    return kink(x[0])

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(kinked.energy([3.0]), kinked.energy([-3.0]))
print(*(str(one.message).partition(", several")[0] + str(one.message).partition("since at")[2] for one in caught))
"""


def test_that_a_source_is_not_for_lanes_is_known_to_new_processes(tmp_path):
    """The warning comes in each, with the line of the branch as it stands now, and nothing is compiled in vain."""
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(BRANCH)
    (values, told), n = run(script, cache)
    assert values == "6.0 3.0"
    assert told.startswith("energy of kinked is computed chain by chain")
    assert f"{script}, line 7 (if a > 0.0:)" in told, told
    assert n == 3  # the attempt, the loop over chains, and the driver
    assert run(script, cache) == ([values, told], 0)
    for text in ("\n\n" + BRANCH, BRANCH.replace("def kink(", "# if a > 0.0:\n\ndef kink(")):
        script.write_text(text)
        (again, moved), n = run(script, cache)
        assert (again, n) == (values, 0)
        assert f"{script}, line 9 (if a > 0.0:)" in moved
    script.write_text(BRANCH.replace("@eb.energy", "\n@eb.energy"))
    assert run(script, cache) == ([values, told], 0)


def test_import_is_light(tmp_path):
    """`import fastebm` compiles nothing and leaves SciPy's submodules and all extras alone."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from numba.core import event\n"
        "with event.install_recorder('numba:compile') as recorder:\n"
        "    import fastebm\n"
        "print(len(recorder.buffer))\n"
        "print(*sys.modules)\n"
    )
    (n_compiled, modules), _ = run(script, tmp_path / "cache")
    assert n_compiled == "0"
    heavy = {"matplotlib", "tqdm", "sklearn", "arviz_stats", "arviz_base", "pandas", "xarray", "scipy.optimize",
             "scipy.integrate", "scipy.special", "scipy.stats", "scipy.linalg", "scipy.interpolate"}
    assert not heavy & set(modules.split())
    assert not (tmp_path / "cache").exists()
