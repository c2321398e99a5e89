"""Single files of timm, without the rest of it: importing all of timm takes as long as a start may, one file milliseconds."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_NAME = "_glocal_timm"


def timm_file(name: str, *, private: bool = False) -> ModuleType:
    """The module timm.`name`, such as "optim.muon": timm's own where timm is imported already, otherwise a second copy of it.

    For files that import nothing but torch, Pillow and their neighbours: the packages they lie in are not run. private: a
    copy in any case, which may be changed.
    """
    if "timm" in sys.modules and not private:
        return import_module(f"timm.{name}")
    if _NAME not in sys.modules:
        spec = find_spec("timm")
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError("timm is not installed; pip install timm", name="timm")
        _package(_NAME, spec.submodule_search_locations[0])
    folder, _, _ = name.partition(".")
    if f"{_NAME}.{folder}" not in sys.modules:
        _package(f"{_NAME}.{folder}", f"{sys.modules[_NAME].__path__[0]}/{folder}")
    return import_module(f"{_NAME}.{name}")


def _package(name: str, path: str) -> None:
    """A package that finds its files and has run none."""
    package = ModuleType(name)
    package.__path__ = [path]
    sys.modules[name] = package
