"""HEIF pictures (HEIC, as phones write them): read where the package pillow-heif is installed, extra `heif`."""

from functools import cache
from importlib import metadata, util

SUFFIXES = frozenset({".heic", ".heif", ".hif"})
NEEDS_PLUGIN = "reading HEIF needs pillow-heif: pip install 'glocal[heif]'"

_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def is_heif(data: bytes) -> bool:
    """Whether bytes begin as a HEIF file does: a box `ftyp` that names one of its brands, and not AVIF's."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, size, 4))}
    return data[4:8] == b"ftyp" and bool(brands & _BRANDS) and not brands & {b"avif", b"avis"}


@cache
def is_readable() -> bool:
    """Whether pillow-heif is installed."""
    return util.find_spec("pillow_heif") is not None


@cache
def register() -> None:
    """Makes Pillow read HEIF, where pillow-heif is installed."""
    if is_readable():
        from pillow_heif import register_heif_opener

        register_heif_opener()


def version() -> str:
    """The version of pillow-heif; "none" where it is not installed."""
    return metadata.version("pillow-heif") if is_readable() else "none"
