"""The page of a run, as the verbs write it: with its pictures, where they can still be read, and on demand with heat maps."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import typer

from glocal.errors import DataError, GlocalError

if TYPE_CHECKING:
    from glocal.artifacts.run_folder import RunFolder
    from glocal.reporting.runs.mistakes import Explain, Pixels


def write_page(folder: Path) -> Path:
    """Writes FOLDER/report.html and returns its path. RunError for a folder that is no run's, or that holds a damaged file."""
    from glocal.artifacts.run_folder import RunFolder
    from glocal.reporting.runs.page import write_run_page

    return write_run_page(folder, pixels=_pixels(RunFolder.find(folder)))


class PageWithMaps(NamedTuple):
    """The page, and what is said of its heat maps: what they are and what their checks found, or why there are none."""

    path: Path
    about_maps: tuple[str, ...]


def write_page_with_maps(folder: Path) -> PageWithMaps:
    """As `write_page`, with a heat map of each mistake that is shown, and their checks on this network."""
    from glocal.artifacts.run_folder import RunFolder
    from glocal.reporting.runs.page import write_run_page

    pixels = _pixels(RunFolder.find(folder))
    explain, about = _heat_maps(folder, pixels)
    return PageWithMaps(write_run_page(folder, pixels=pixels, explain=explain, about_maps=about), about)


def _pixels(run: "RunFolder") -> "Pixels | None":
    """None where the pictures have gone; the page names them."""
    from glocal.data.reading import picture_reader
    from glocal.files import read_yaml

    try:
        return picture_reader(str(read_yaml(run.settings, "data")["data"]["source"]), run.manifest())
    except DataError:
        return None


def _heat_maps(folder: Path, pixels: "Pixels | None") -> "tuple[Explain | None, tuple[str, ...]]":
    """How a heat map is drawn, and what to say of the maps."""
    from glocal.reporting.runs.files import RunFiles
    from glocal.reporting.runs.mistakes import MISTAKES

    found = RunFiles.find(folder).predictions
    if found is None:
        return None, ("No heat maps: predictions.csv is written at the end of a run, where a picture has one class.",)
    wrong = found.most_wrong(MISTAKES)
    shown = [] if pixels is None else [*_readable(pixels, [found.paths[i] for i in wrong])]
    if not shown:
        return None, (
            f"No heat maps: {'its pictures cannot be read any more' if wrong else 'no prediction is wrong'}.",
        )
    try:
        from glocal.explaining.checked_maps import RunMaps

        maps = RunMaps.load(folder)
        return maps.draw, tuple(maps.describe(shown))
    except GlocalError as error:  # no captum, no weights
        return None, (f"No heat maps: {error}",)


def _readable(pixels: "Callable[[str], np.ndarray]", paths: list[str]) -> list[np.ndarray]:
    """The pictures that can be read, uint8 (h, w, 3)."""
    from glocal.data.batches.preprocess import in_channels

    found = []
    for path in paths:
        try:
            found.append(in_channels(pixels(path), 3))
        except GlocalError:
            continue
    return found


def page_of_finished(folder: Path) -> Path | None:
    """The page of a run that has just ended. A page that cannot be written is named on standard error, and is no failure."""
    try:
        return write_page(folder)
    except GlocalError as error:
        typer.echo(f"no report: {error}", err=True)
        return None
