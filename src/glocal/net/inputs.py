"""What a network accepts as pictures: checked before a layer runs, at no cost to a compiled or exported network."""

from typing import Protocol

from torch import Tensor

from glocal.design import Grid
from glocal.errors import DataError, ShapeError


class ReadsPictures(Protocol):
    """An architecture, or whatever else says which pictures a network reads."""

    @property
    def name(self) -> str:
        """What errors call the network."""
        ...

    @property
    def image(self) -> Grid:
        """Channels, height and width of a picture."""
        ...


def check_pictures(arch: ReadsPictures, x_BCHW: Tensor) -> None:
    """ShapeError for another number of axes or channels than the architecture reads; DataError for whole numbers, which
    nobody has normalised."""
    if x_BCHW.ndim != 4 or x_BCHW.shape[1] != arch.image.c:
        raise ShapeError(
            f"{arch.name} reads (batch, {arch.image.c}, height, width), not {tuple(x_BCHW.shape)}; "
            "create_model(..., in_chans=) changes the channels"
        )
    if not x_BCHW.is_floating_point():
        kind = str(x_BCHW.dtype).removeprefix("torch.")
        raise DataError(
            f"{arch.name} reads normalised pictures, and this batch holds {kind}: give x = (x.float() / 255 - mean) / std "
            "with the mean and std in network.pretrained_cfg, each shaped (1, channels, 1, 1)"
        )
