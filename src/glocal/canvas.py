"""Figures that look alike. matplotlib draws them off screen, and the caller's own settings of it stay as they are."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind.
BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#777777"
# For names in scripts that matplotlib's own font lacks: those of these fonts that are installed.
_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Noto Sans",
    "Arial",
)


@contextmanager
def canvas(
    width: float, height: float, *, dpi: int = 110, font_size: float = 10, layout: Literal["constrained"] | None = None
) -> "Iterator[Figure]":
    """An empty figure, so many inches wide and high, to be drawn on and `rendered` inside the block."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        # Browsers that lack matplotlib's font have the one that it is modelled on.
        mpl.rcParams["font.sans-serif"] = ["DejaVu Sans", "Verdana", "sans-serif"]
        mpl.rcParams["font.family"] = ["sans-serif", *(font for font in _FONTS if font in installed)]
        mpl.rcParams["font.size"] = font_size
        mpl.rcParams["text.parse_math"] = False  # a name may hold two dollars
        mpl.rcParams["svg.fonttype"] = "none"  # text stays text, which can be searched
        mpl.rcParams["svg.hashsalt"] = "glocal"  # the same figure is the same file
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield Figure(figsize=(width, height), dpi=dpi, layout=layout)


def rendered(figure: "Figure", suffix: str = ".png") -> bytes:
    """The figure as the bytes of a .png or an .svg."""
    file = BytesIO()
    figure.savefig(file, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
    return file.getvalue()
