"""One picture under its heat map, for pages that show one prediction after the other."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from glocal.data.batches.preprocess import Preprocess, in_channels
from glocal.explaining.methods import Explainer, choose_methods
from glocal.explaining.picture_maps import heat, on_picture, png
from glocal.explaining.subject import subject_of


def explainer_of(network: nn.Module, preprocess: Preprocess) -> Explainer:
    """A network prepared for explanations of pictures that pass through `preprocess`; takes one forward and backward pass."""
    return Explainer(subject_of(network, preprocess.size))


def overlay(
    network: nn.Module | Explainer,
    picture: np.ndarray,
    *,
    preprocess: Preprocess,
    class_index: int | None = None,
    method: str = "auto",
    longest: int | None = None,
) -> bytes:
    """The bytes of a PNG: a picture, uint8 (h, w, 3), under the map of its prediction, in the picture's own size.

    network: of glocal or timm, on the CPU; or an Explainer (`explainer_of`), which saves a pass for each picture.
    class_index: of the class to explain; the predicted one by default. longest: pixels of the longer side of the PNG, at most.

    The network must not compute in other threads meanwhile: give it a lock, or an Explainer of a copy.
    """
    with torch.inference_mode(mode=False):  # gradients are needed, also within a server's inference
        explainer = network if isinstance(network, Explainer) else explainer_of(network, preprocess)
        x_BCHW = network_input(picture, preprocess)
        if class_index is None:
            with torch.no_grad():
                class_index = int(explainer.subject.network(x_BCHW).argmax(1))
        (name,) = choose_methods(explainer.subject, explainer.place, method)
        values = explainer.maps(name, x_BCHW, torch.tensor([class_index]))[0].numpy()
    picture = _shrunk(in_channels(picture, 3), longest)
    return png(heat(picture, on_picture(values, picture.shape[:2], preprocess)))


def _shrunk(picture: np.ndarray, longest: int | None) -> np.ndarray:
    """The map is laid over the small copy: both have the same sides, as shares of a picture."""
    if longest is None or max(picture.shape) <= longest:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.array(image)


def network_input(picture: np.ndarray, preprocess: Preprocess) -> Tensor:
    """A picture, uint8 (h, w, 1 or 3), as a normalised batch of one."""
    return preprocess.normalise(torch.from_numpy(preprocess.resize(picture))[None])
