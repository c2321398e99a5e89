"""segmentation_models_pytorch finds our networks through timm's registry, and its UPerNet trains on them."""

import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional

import glocal
from glocal.errors import ShapeError

smp = pytest.importorskip("segmentation_models_pytorch")
PAGE = Path(__file__).parents[2] / "docs" / "backbones.md"
pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture(scope="module")
def registered():
    return glocal.register_with_timm()


def segmenter(name, **options):
    torch.manual_seed(0)
    return smp.UPerNet(f"tu-glocal_{name}", encoder_weights=None, decoder_channels=64, classes=3, **options)


def scenes():
    """Two pictures of 64 x 96 with a bright rectangle each, green (class 1) or blue (class 2), on dark noise."""
    pictures, classes = (
        0.2 * torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)),
        torch.zeros(2, 64, 96),
    )
    for i, (top, left, bottom, right, label) in enumerate([(8, 8, 40, 40, 1), (20, 30, 60, 90, 2)]):
        classes[i, top:bottom, left:right] = label
        pictures[i, label, top:bottom, left:right] += 0.7
    return pictures, classes.long()


@pytest.mark.parametrize("name", ["convnext_tiny", "coatnet_0"])
def test_upernet_trains(name):
    model, (pictures, classes), losses = segmenter(name), scenes(), []
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    for _ in range(5):
        torch.manual_seed(0)  # the same stochastic depth in each step, so that the losses can be compared
        loss = functional.cross_entropy(model(pictures), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        stem = next(model.encoder.model.stem.parameters())
        assert torch.isfinite(stem.grad).all()
        assert stem.grad.abs().sum() > 0
    print(name, [round(loss, 3) for loss in losses])
    assert losses[-1] < 0.8 * losses[0]
    assert model.eval()(torch.rand(1, 3, 128, 64)).shape == (1, 3, 128, 64), "and reads another size"


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("convnext_zepto_rms", [3, 0, 32, 64, 128, 256]),  # nothing at 1/2
        ("coatnet_layout_cctt", [3, 64, 96, 192, 384, 768]),
    ],
)
def test_encoders_say_the_widths_of_their_maps(name, widths):
    encoder = segmenter(name).encoder
    assert encoder.out_channels == widths
    maps = encoder(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [(c, 64 >> i, 96 >> i) for i, c in enumerate(widths)]


def test_a_unet_reads_the_stem_of_coatnet():
    model = smp.Unet("tu-glocal_coatnet_layout_cctt", encoder_weights=None, classes=2).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64, 96)).shape == (1, 2, 64, 96)


def test_networks_of_one_level_are_refused():
    with pytest.raises(ShapeError, match=r"has level 0 \(stride 2\); choose from them"):
        segmenter("convmixer_256_8_p2_k5_32")
    with pytest.raises(ValueError, match="Unsupported model downsampling pattern"):
        segmenter("convnext_isotropic_small")


def test_arguments_reach_our_networks_and_unknown_ones_are_errors():
    assert segmenter("convnext_zepto_rms", in_channels=1, drop_path_rate=0.3).encoder.model.arch.drop_path == 0.3
    with pytest.raises(TypeError, match="output_stride"):
        smp.DeepLabV3("tu-glocal_convnext_zepto_rms", encoder_weights=None, encoder_output_stride=8)


@pytest.mark.slow
def test_the_code_of_the_page_runs():
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    torch.manual_seed(0)
    said = {}
    exec(compile(code, str(PAGE), "exec"), said)
    assert said["scores"].shape == (2, 3, 64, 96)
    assert said["network"].stem is said["pyramid"].stem
    assert set(said["losses"]) >= {"loss_classifier", "loss_mask"}
