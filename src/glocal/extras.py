"""Packages that an extra of glocal brings. Whatever needs one asks here before it starts to work."""

from importlib.util import find_spec

from glocal.errors import MissingPackage


def require(what: str, extra: str, *packages: str) -> None:
    """MissingPackage, with the command that installs the extra, where `what` needs a package that is not there."""
    if missing := [name for name in packages if find_spec(name) is None]:
        raise MissingPackage(f"{what} needs {', '.join(missing)}: pip install 'glocal[{extra}]'")
