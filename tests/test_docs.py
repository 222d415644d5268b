"""The documentation is run: its Python, its commands, its names, its links, and the examples of every docstring.

A Python block of a page runs after the blocks before it, in one namespace and one empty folder. One that starts with
`>>>` is compared with what it shows; one that starts with a comment `# NAME.py` is also kept as that file. Commands of
`sh` blocks run too, in the same folder.
"""

import dataclasses
import doctest
import importlib
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest

import fastebm as eb
from fastebm import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PACKAGE = Path(eb.__file__).parent

README_COMMANDS = (
    'pip install ".[recommended]" && python -m fastebm demo',
    'pip install -e ".[test]" && python -m pytest',
)
# what these do is run by .ci/run, or takes long
ELSEWHERE = ("pip install ", "python -m pytest", "python -m benchmarks", "ruff ", "mypy", ".ci/run")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+)\.py\n")
_EXAMPLE = re.compile(r"^ *>>> ", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAME = re.compile(r"`(?:\w+ = )?(eb|E|run|fit|z)\.([A-Za-z_][\w.]*)")


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[tuple[int, str, str]]:
    """The fenced blocks of a page: lines before the text, language, text."""
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        yield text[: block.start(2)].count("\n"), block[1], block[2]


EXAMPLES = [page for page in PAGES if any(language in ("python", "sh") for _, language, _ in blocks(page))]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to run a page in, pictures without a window, and no trace afterwards."""
    from matplotlib import pyplot

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    pyplot.close("all")


@pytest.mark.parametrize("page", EXAMPLES, ids=page_name)
def test_the_examples_of_a_page_run(page, workplace, monkeypatch):
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, language, text in blocks(page):
        if kept := _FILE.match(text):
            (workplace / f"{kept[1]}.py").write_text(text)
            importlib.invalidate_caches()
            monkeypatch.delitem(sys.modules, kept[1], raising=False)
        if language == "sh":
            for command in text.splitlines():
                run_command(command, f"{page_name(page)}: {command}")
        elif text.startswith(">>>"):
            namespace = run_session(text, namespace, page, line)
        elif language == "python":
            # the empty lines before it let tracebacks name the line of the page
            exec(compile("\n" * line + text, str(page), "exec"), namespace)


def run_session(text: str, namespace: dict[str, Any], page: Path, line: int) -> dict[str, Any]:
    """Compare a `>>>` block with what it shows; the namespace after it."""
    session = doctest.DocTestParser().get_doctest(text, namespace, page_name(page), str(page), line)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    runner.run(session, out=report.append, clear_globs=False)
    assert not report, "".join(report)
    return session.globs


def run_command(command: str, where: str) -> None:
    """Run a `fastebm` command in this process; the demo and other programs have their place elsewhere."""
    words = shlex.split(command, comments=True)
    if not words or "fastebm demo" in command:
        return
    ours = words[1:] if words[0] == "fastebm" else words[3:] if words[:3] == ["python", "-m", "fastebm"] else None
    if ours is None:
        assert command.startswith(ELSEWHERE), f"{where}: nothing runs this"
    else:
        assert cli.main(ours) == 0, where


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_blocks_say_what_they_hold(page):
    assert {language for _, language, _ in blocks(page)} <= {"python", "sh", "text"}
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(list(blocks(page)))


def test_the_readme_starts_with_its_two_commands():
    shell = "".join(text for _, language, text in blocks(ROOT / "README.md") if language == "sh")
    assert tuple(shell.splitlines()[:2]) == README_COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page):
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        file, _, heading = target.partition("#")
        if target.startswith("https://"):
            continue
        there = page.parent / file if file else page
        assert there.exists(), f"{target} does not exist"
        assert not heading or heading in anchors(there), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in links."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_names_in_the_text_exist(page):
    E = eb.Gaussian([0.0])
    owners = {"eb": eb, "E": E, "run": eb.Run, "fit": eb.Fit, "z": eb.log_partition(E)}
    for letter, path in _NAME.findall(page.read_text(encoding="utf-8")):
        owner = owners[letter]
        for name in path.rstrip(".").split("."):
            fields = {field.name for field in dataclasses.fields(owner)} if dataclasses.is_dataclass(owner) else set()
            assert name in fields or hasattr(owner, name), f"{letter}.{path}: there is no {name}"
            owner = getattr(owner, name, None)


def test_every_public_name_and_command_is_explained():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in eb.__all__ if f"eb.{name}" not in text] == []
    assert [name for name in cli._COMMANDS if f"fastebm {name}" not in text] == []


def modules_with_examples() -> list[str]:
    """Dotted names of the library's modules whose docstrings have `>>>` in them."""
    found = [path for path in sorted(PACKAGE.rglob("*.py")) if _EXAMPLE.search(path.read_text(encoding="utf-8"))]
    return [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in found]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_docstrings_run(name, workplace):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert project["version"] == eb.__version__
    assert f"\nversion: {eb.__version__}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License\n")
    assert f"[{eb.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "block",
    [
        "```python\n1 / 0\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```sh\nfastebm logz missing.npz\n```\n",
        "```sh\nrm -r .\n```\n",
    ],
)
def test_a_wrong_example_is_seen(block, workplace, monkeypatch):
    page = workplace / "page.md"
    page.write_text(block)
    monkeypatch.setattr(f"{__name__}.ROOT", workplace)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        test_the_examples_of_a_page_run(page, workplace, monkeypatch)
