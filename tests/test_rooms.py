"""The rooms of the package: who may import whom, what may load torch, and names that are no room."""

import ast
import graphlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import glocal

ROOT = Path(glocal.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# The rooms from the lowest up; a file imports from its own room and from those above its line. The modules at the top of the
# package (errors, files, settings, ...) stand below all rooms; the package's own __init__ spells the public names.
MODULES_OF_THE_PACKAGE = (
    "errors",
    "caches",
    "extras",
    "passwords",
    "command_line",
    "intervals",
    "files",
    "canvas",
    "html_page",
    "quantities",
    "settings",
)
ORDER = (
    "design",
    "families",
    "net",
    "weights",
    "machine",
    "data",
    "artifacts",
    "recipes",
    "evaluation",
    "monitoring",
    "training",
    "runs",
    "trials",
    "comparing",
    "searching",
    "deploying",
    "explaining",
    "serving",
    "picking",
    "reporting",
    "cli",
    "__main__",
)
# Rooms that stand beside one another rather than on one another.
NOT_ON = {
    "data": {"design", "families", "net", "weights", "machine"},
    "reporting": {"net", "weights", "data", "searching"},
}
INSIDE = {  # the same within a room: folders from the lowest up
    "data": ("sources", "checks", "batches"),
    "comparing": ("statistics",),
    "searching": ("candidates", "supernet"),
}
TORCHLESS = ("errors", "design", "families")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Every module that a tree imports, and for `from glocal import x` the x."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the room they come from"
            found |= {f"glocal.{a.name}" for a in node.names} if node.module == "glocal" else {node.module}
    return found


def at_import(tree: ast.Module) -> ast.Module:
    """The tree without what only a function or a type checker imports."""
    later = (ast.FunctionDef, ast.AsyncFunctionDef)
    kept = [n for n in tree.body if not isinstance(n, later) and not (isinstance(n, ast.If) and "TYPE" in ast.dump(n))]
    return ast.Module(kept, [])


def glocal_imports(path: Path) -> set[str]:
    return {name for name in imported(ast.parse(path.read_text())) if name.startswith("glocal.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path):
    if path == ROOT / "__init__.py":
        return
    here = room(path)
    above = set(ORDER[ORDER.index(here) + 1 :]) if here in ORDER else set(ORDER)
    rooms = {name.split(".")[1] for name in glocal_imports(path)}
    assert not rooms & (above | NOT_ON.get(here, set()))


@pytest.mark.parametrize("name", INSIDE)
def test_folders_of_a_room_point_downward(name):
    folders = INSIDE[name]
    for i, folder in enumerate(folders):
        above = {f"glocal.{name}.{other}" for other in folders[i + 1 :]}
        for path in (ROOT / name / folder).rglob("*.py"):
            assert not {".".join(imported.split(".")[:3]) for imported in glocal_imports(path)} & above, path


def test_every_room_has_its_place_in_the_order():
    assert {room(path) for path in MODULES} - {"__init__"} == {*ORDER, *MODULES_OF_THE_PACKAGE}


def module(path: Path) -> str:
    return ".".join(("glocal", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def test_no_files_import_one_another_in_a_circle():
    """What only a type checker or a function imports counts too."""
    files = {module(path): path for path in MODULES if path != ROOT / "__init__.py"}
    graph = {}
    for name, path in files.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted |= {m if (m := f"{node.module}.{a.name}") in files else node.module for a in node.names}
        # A room's __init__ that gathers names of its own files is no part of a circle with them.
        graph[name] = {w for w in wanted & files.keys() if w != name and files[w].name != "__init__.py"}
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()


def test_folders_and_files_keep_their_size():
    counts = Counter(path.parent for path in MODULES)
    assert {str(folder): n for folder, n in counts.items() if n > 15} == {}, (
        "about 15 files a folder is where to divide it"
    )
    assert {str(path): n for path in MODULES if (n := len(path.read_text().splitlines())) > 350} == {}


def test_functions_keep_their_size():
    """Fifty lines and eight arguments are where to stop."""
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                lines, n = node.end_lineno - node.lineno + 1, len([a for a in arguments if a not in ("self", "cls")])
                if lines > 50 or n > 8:
                    long.append(f"{path.relative_to(ROOT)}: {node.name}, {lines} lines, {n} arguments")
    assert not long


def test_every_file_says_first_what_it_holds():
    assert not [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in TORCHLESS], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_design_needs_the_standard_library_alone(path):
    outside = {name.split(".")[0] for name in imported(at_import(ast.parse(path.read_text())))} - {"glocal"}
    assert outside <= set(sys.stdlib_module_names)


def test_nothing_is_called_by_what_it_is_not():
    rooms_for_anything = {"utils", "util", "helpers", "common", "base", "misc"}
    assert not [p for p in MODULES if {p.stem, *p.relative_to(ROOT).parts} & rooms_for_anything]


def test_costing_and_printing_every_architecture_loads_no_torch():
    """And no other of the heavy dependencies: a description must be cheap to read."""
    code = """
import sys, glocal
from glocal.design import dump, load, python, show, spell
from glocal.families import vocabulary
assert len(glocal.list_models()) > 50
for name in glocal.list_models():
    arch = glocal.architecture(name)
    glocal.cost(arch), show(arch), spell(arch), python(arch)
    assert load(dump(arch), vocabulary()) == arch
heavy = {"torch", "torchvision", "timm", "numpy", "PIL", "sklearn", "pydantic", "yaml"} & sys.modules.keys()
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_public_names_are_spelled_out_and_resolve():
    assert sorted(glocal.__all__) == glocal.__all__
    assert dir(glocal) == sorted([*glocal.__all__, "__version__"]), "what a notebook completes"
    for _ in range(2):  # importing a room of a verb's name would replace the verb
        assert all(callable(getattr(glocal, name)) for name in set(glocal.__all__) - {"errors", "families"})
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = glocal.utils
