"""The rooms of the package: who may import whom, what may load torch, and names that are no room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import glocal

ROOT = Path(glocal.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# Each room and the rooms it may stand on. `errors` is below all; the package's own __init__ spells the public names.
BELOW = {
    "errors": set(),
    "caches": set(),
    "intervals": set(),
    "design": {"errors"},
    "families": {"design", "errors"},
    "net": {"design", "errors"},
    "weights": {"net", "families", "design", "errors", "caches"},
    "data": {"errors", "caches"},
    "training": {"data", "weights", "net", "families", "design", "intervals", "errors"},
    "searching": {"training", "data", "weights", "net", "families", "design", "intervals", "errors"},
    "reporting": {"families", "design", "intervals", "errors"},
    "cli": {"reporting", "searching", "training", "data", "weights", "net", "families", "design", "errors"},
    "__main__": {"cli"},
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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path):
    if path == ROOT / "__init__.py":
        return
    here = room(path)
    rooms = {name.split(".")[1] for name in imported(ast.parse(path.read_text())) if name.startswith("glocal.")}
    assert rooms <= BELOW[here] | {here}


def test_every_room_has_its_place_in_the_order():
    assert {room(path) for path in MODULES} - {"__init__"} <= BELOW.keys()
    assert not any(here in BELOW[there] for here, below in BELOW.items() for there in below), "two rooms on each other"
    assert [room for room, below in BELOW.items() if "cli" in below] == ["__main__"]


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
    for _ in range(2):  # importing a room of a verb's name would replace the verb
        assert all(callable(getattr(glocal, name)) for name in set(glocal.__all__) - {"errors", "families"})
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = glocal.utils
