"""Energies wherever they are typed: on a command line, in a notebook, in a module that is edited and loaded again."""

import importlib
import linecache
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from messages import refused

import fastebm as eb

X = np.random.default_rng(3).standard_normal((20, 2))


def run(script, tmp_path, cwd=None, **environment):
    """The lines that `python -c script` prints, and how many functions it compiled."""
    log = "import logging, sys; logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stdout)"
    ran = subprocess.run(
        [sys.executable, "-c", log + script], capture_output=True, text=True, timeout=300, check=False, cwd=cwd,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), **environment},
    )
    assert not ran.returncode, ran.stderr
    lines = ran.stdout.splitlines()
    result = [line for line in lines if not line.startswith("compiling")]
    return result, len(lines) - len(result)


ONE_LINER = """
import warnings
import fastebm as eb, numpy as np
A = np.array([2.0, 3.0])
def kinked(x):
    if x[0] > 1.0: return x[0]
    return A[1]
print(eb.energy(1)(lambda x: A[0] * x[0] ** 2).energy([3.0]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(eb.energy(1)(kinked).energy([[2.0], [0.0]]))
print(len(caught), "<string>, line 6 " in str(caught[0].message))
for function in (lambda x: x[1:][0], lambda x: x[2]):
    try:
        eb.energy(2)(function).energy([1.0, 2.0])
    except eb.EnergyCompileError as fault:
        print("<string>, line 13:" in str(fault), "IndexError" in str(fault))
"""


def test_a_command_line(tmp_path):
    first, n = run(ONE_LINER, tmp_path)
    assert first == ["18.0", "[2. 3.]", "1 True", "True False", "True True"]
    assert n > 3
    again, n = run(ONE_LINER, tmp_path)
    assert again == first
    assert n == 1, "only what is refused is tried again"
    other, _ = run(ONE_LINER.replace("A[0] * x[0]", "A[1] * x[0]"), tmp_path)
    assert other[0] == "27.0"


def test_an_installation_that_nobody_may_write_to(tmp_path):
    """Nothing is written into the library's folder; without room for a cache either, code runs all the same."""
    library = tmp_path / "site" / "fastebm"
    shutil.copytree(Path(eb.__file__).parent, library, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(library.rglob("*"))
    for path in (library, *before):
        path.chmod(path.stat().st_mode & ~0o222)
    (tmp_path / "cache").write_text("in the way")
    script = (
        "\nimport warnings, fastebm as eb\n"
        "print(eb.__file__)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    print(eb.energy(1)(lambda x: x[0] ** 2).energy([3.0]))\n"
        "    print(eb.Gaussian([0.0], [[1.0]]).energy([2.0]) > 0.0)\n"
        "print(len(caught), 'NUMBA_CACHE_DIR' in str(caught[0].message))\n"
    )
    try:
        lines, n = run(script, tmp_path, library.parent, PYTHONDONTWRITEBYTECODE="1")
        assert lines == [str(library / "__init__.py"), "9.0", "True", "1 True"]
        assert n >= 3
        assert sorted(library.rglob("*")) == before
    finally:
        for path in (library, *before):
            path.chmod(path.stat().st_mode | 0o200)


class Notebook:
    """Cells as IPython runs them: each has a file name of its own, known to `linecache` only."""

    def __init__(self):
        self.names = {"eb": eb, "np": np}
        self.n = 0

    def run(self, text):
        self.n += 1
        name = f"<ipython-input-{self.n}-{id(self):x}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), self.names)
        return name

    def __getitem__(self, name):
        return self.names[name]


class TestNotebook:
    CELL = "@eb.energy(2)\ndef bowl(x):\n    return scale[0] * x[0] ** 2 + slope(x[1])\n"

    def test_cells_that_are_run_again(self):
        notebook = Notebook()
        notebook.run("scale = np.array([2.0, 5.0])\ndef slope(a):\n    return a * scale[1]\n")
        notebook.run(self.CELL)
        first = notebook["bowl"]
        np.testing.assert_allclose(first.energy(X), 2.0 * X[:, 0] ** 2 + 5.0 * X[:, 1], rtol=1e-14)
        notebook.run("scale = np.array([3.0, 7.0])\n")
        notebook.run(self.CELL)
        second = notebook["bowl"]
        assert second.program.key == first.program.key, "new data compile nothing"
        np.testing.assert_allclose(second.energy(X), 3.0 * X[:, 0] ** 2 + 7.0 * X[:, 1], rtol=1e-14, atol=1e-14)
        notebook.run("def slope(a):\n    return -a * scale[1]\n")
        notebook.run(self.CELL)
        np.testing.assert_allclose(
            notebook["bowl"].energy(X), 3.0 * X[:, 0] ** 2 - 7.0 * X[:, 1], rtol=1e-14, atol=1e-14
        )
        np.testing.assert_allclose(first.energy(X), 2.0 * X[:, 0] ** 2 + 5.0 * X[:, 1], rtol=1e-14)

    def test_what_is_told_names_the_line_of_the_cell(self):
        notebook = Notebook()
        name = notebook.run("@eb.energy(2)\ndef kinked(x):\n    if x[0] > 0:\n        return x[1]\n    return 1.0\n")
        with pytest.warns(eb.FastebmWarning) as caught:
            np.testing.assert_array_equal(notebook["kinked"].energy(X), np.where(X[:, 0] > 0.0, X[:, 1], 1.0))
        assert f"{name}, line 3 (if x[0] > 0:)" in str(caught[0].message)
        name = notebook.run("@eb.energy(2)\ndef sliced(x):\n    y = x[1:]\n    return y[0]\n")
        message = refused_at(lambda: notebook["sliced"].energy(X))
        assert f"{name}, line 3 (y = x[1:])" in message
        notebook.n += 1
        refused(lambda: notebook.run("@eb.energy(2)\ndef short(x):\n    return x[2]\n"),
                "line 3 (return x[2])", "IndexError", kind=eb.EnergyCompileError)


def refused_at(call):
    with pytest.raises(eb.EnergyCompileError) as caught:
        call()
    return str(caught.value)


HELPERS = "FACTOR = {factor}\ndef weighted(a):\n    return FACTOR * a\n"
MODEL = """
import numpy as np
import fastebm as eb
import {helpers} as helpers

TABLE = np.array([{first}, 2.0])

def plain(x):
    return {sign}TABLE[0] * x[0] ** 2 + helpers.weighted(x[1])

E = eb.energy(2)(plain)
"""


def test_a_module_that_is_edited_and_loaded_again(tmp_path, monkeypatch):
    """Edits as small as they get: of the same length, at the same time, in the file itself or in one it imports."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python itself takes a file of the same age for unchanged
    model, helpers = (f"{name}_{os.getpid()}" for name in ("model", "helpers"))

    def write(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        os.utime(path, (1e9, 1e9))

    made = []
    for factor, first, sign in ((3, 1, "+"), (4, 1, "+"), (4, 5, "+"), (4, 5, "-"), (3, 1, "+")):
        write(helpers, HELPERS.format(factor=factor))
        write(model, MODEL.format(helpers=helpers, first=first, sign=sign))
        importlib.invalidate_caches()
        modules = [importlib.import_module(name) for name in (helpers, model)]
        module = [importlib.reload(one) for one in modules][1] if made else modules[1]
        wanted = (1.0 if sign == "+" else -1.0) * first * X[:, 0] ** 2 + factor * X[:, 1]
        np.testing.assert_allclose([module.plain(x) for x in X], wanted, rtol=1e-14, atol=1e-14)
        made.append((module.E, wanted))
        np.testing.assert_allclose(module.E.energy(X), wanted, rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(module.E.grad(X)[:, 1], factor, rtol=1e-15)
    for E, wanted in made:
        np.testing.assert_allclose(E.energy(X), wanted, rtol=1e-14, atol=1e-14)
