"""The first convolution of a file for pictures of another number of channels, as timm makes it of its pretrained weights."""

import math

from torch import Tensor

from glocal.errors import WeightError


def carried_filters(weight: Tensor, channels: int) -> Tensor:
    """Filters (out, in, ...) for `channels` channels: summed for one; for others repeated in turn and scaled by in / channels,
    so that pictures of the same mean excite them alike.

    Filters of one channel or three can be carried; WeightError for others, whose channels nobody here can tell the meaning of.
    """
    given = weight.shape[1]
    if channels == given:
        return weight
    if channels == 1:
        return weight.float().sum(1, keepdim=True).to(weight.dtype)
    if given not in (1, 3):
        raise WeightError(
            f"the file's first convolution reads {given} channels, which can be summed for 1 and not be carried to {channels}; "
            f"give in_chans={given}, or 1"
        )
    axes = [1] * weight.ndim
    axes[1] = math.ceil(channels / given)
    return (weight.float().repeat(axes)[:, :channels] * (given / channels)).to(weight.dtype)


def filters_sentence(given: int, channels: int) -> str:
    """A sentence on what became of the filters."""
    how = "summed" if channels == 1 else f"repeated in turn and scaled by {given}/{channels}"
    return f"the filters of the first convolution, for {given} channels in the file, are {how} for {channels}"
