"""The rooms of the library: arrows between them go down, files stay small, names say something."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fastebm"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up, as in DESIGN.md, section 3; a room may import from the rooms of earlier rows only. The ground
# floor has a row for each of its own arrows.
FLOORS = (
    ("_checks", "_edits", "_faults", "_inlining"),
    ("_compile", "files", "diagnostics"),
    ("tiles", "tables"),
    ("datasets",),
    ("lanes",),
    ("adjoint", "streams"),
    ("energies",),
    ("kernels", "exact"),
    ("sampling",),
    ("training", "annealing"),
    ("partition", "tasks", "loading"),
    ("testing", "plots", "sklearn"),
    ("cli",),
    ("__init__", "__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
EMPTY_NAMES = {"utils", "util", "core", "base", "types", "helpers", "misc", "common"}
MOST_LINES = 450


def dotted(path: Path) -> str:
    """fastebm/lanes/maths.py as lanes.maths; a package's __init__ as the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    return name.split(".")[0]


NAMES = {dotted(path) for path in MODULES}


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """What a module of the library imports from the library, as dotted names without `fastebm.`."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "fastebm":
                    yield alias.name.removeprefix("fastebm").removeprefix(".") or "__init__"
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if (node.module or "").split(".")[0] == "fastebm":
                module = node.module.removeprefix("fastebm").removeprefix(".")
                for alias in node.names:
                    inner = f"{module}.{alias.name}".removeprefix(".")
                    yield inner if inner in NAMES else module or "__init__"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_arrows_go_down(path):
    here = room(dotted(path))
    assert here in FLOOR_OF, f"{here} has no floor: write it into FLOORS, and into DESIGN.md, section 3"
    for there in map(room, imports(path)):
        assert there == here or FLOOR_OF[there] < FLOOR_OF[here], f"{dotted(path)} imports {there}: up or sideways"


def test_no_module_needs_itself_at_import():
    arrows = {dotted(path): set(imports(path, everywhere=False)) & NAMES for path in MODULES}
    while free := [name for name, needed in arrows.items() if not needed & arrows.keys() - {name}]:
        for name in free:
            del arrows[name]
    assert not arrows, f"a circle among {sorted(arrows)}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_nothing_is_imported_for_type_checkers_only(path):
    assert "TYPE_CHECKING" not in path.read_text()


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_are_small_and_named_for_what_they_hold(path):
    assert not EMPTY_NAMES & set(dotted(path).split("."))
    assert len(path.read_text().splitlines()) <= MOST_LINES
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{dotted(path)} does not say what it is"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name[:2] != "__"], ids=dotted)
def test_every_module_has_a_test_file_of_its_name(path):
    here = dotted(path)
    *folders, name = here.split(".")
    namesakes = [dotted(module) for module in MODULES if module.stem == path.stem]
    allowed = {f"test_{'_'.join([*folders, name]).strip('_')}"}
    if here == min(namesakes, key=lambda other: FLOOR_OF[room(other)]):  # a name on two floors belongs to the lower one
        allowed.add(f"test_{name.strip('_')}")
    allowed.update(f"test_{folder}" for folder in folders)  # a folder of small files may have one test file for them
    tests = {test.stem for test in (ROOT / "tests").glob("test_*.py")}
    assert tests & allowed, f"write one of {sorted(allowed)}"


def test_the_library_does_not_lean_on_its_tests_and_benchmarks():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            )
            found = {name.split(".")[0] for name in modules} & {"tests", "benchmarks", "pytest", "hypothesis"}
            assert found == set() or (found, dotted(path)) == ({"hypothesis"}, "testing.strategies"), path


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.name)
def test_benchmarks_are_small_and_use_no_tests(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert "import tests" not in text
    assert "from tests" not in text


def test_a_wrong_arrow_would_be_seen(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def later():\n    from fastebm.sampling import sample\n    import fastebm.cli\n")
    assert [room(name) for name in imports(wrong)] == ["sampling", "cli"]
    assert FLOOR_OF["cli"] > FLOOR_OF["sampling"] > FLOOR_OF["energies"]
