"""Every architecture is explained without a layer to name."""

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from torch import nn

import glocal
from glocal.comparing.scaling import scaled
from glocal.design import adapt
from glocal.errors import ArchitectureError, MissingPackage, RecipeError
from glocal.explaining.methods import METHODS, Explainer, choose_methods
from glocal.explaining.subject import recorded, subject_of
from glocal.families.catalogue import FAMILIES
from glocal.net.network import Network
from strategies import architectures, law

SMALL = {
    **{
        name: scaled(glocal.architecture(name), "tiny")
        for name in (
            "resnet50_step_5",
            "coatnet_0",
            "coatnet_0_rw_224",
            "convnext_atto",
            "glit_tiny",
            "deit_tiny",
            "poolformer_s12",
            "resnet50",
        )
    },
    **{
        name: adapt(glocal.architecture(name), classes=10)
        for name in ("cct_2_3x2_32", "cct_7_3x2_32_class", "cvt_2_4_32", "vit_lite_2_4_32", "convmixer_128_4_p1_k8_32")
    },
    "airbench": glocal.architecture("airbench_32_128_256"),
    "mobilenetv4": adapt(glocal.architecture("mobilenetv4_conv_small"), size=96),
    "swin_tiny": adapt(glocal.architecture("swin_tiny"), size=64),
}
TIMM = {
    "vit_tiny_patch16_224": {"img_size": 64},
    "convnext_atto": {},
    "swin_tiny_patch4_window7_224": {"img_size": 64, "window_size": 2},
    "resnet10t": {},
    "coatnet_nano_rw_224": {"img_size": 64},
}


def explained(network: nn.Module, size: tuple[int, int] | None = None, *, pictures: int = 2) -> dict[str, torch.Tensor]:
    """Every map that the network has, on noise; each finite and of one size a picture."""
    explainer = Explainer(subject_of(network, size))
    subject = explainer.subject
    x = torch.randn(pictures, subject.channels, *subject.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(x)
    maps = {name: explainer.maps(name, x, before.argmax(1)) for name in choose_methods(subject, explainer.place, "all")}
    for name, found in maps.items():
        assert found.ndim == 3, name
        assert len(found) == pictures, name
        assert not found.requires_grad, name
        assert found.isfinite().all(), name
    with torch.no_grad():
        assert torch.equal(network(x), before), "an explanation leaves the network as it was"
    assert "forward_features" not in vars(network)
    return maps


def filled(network: nn.Module) -> nn.Module:
    """The network with values in place of its first ones, which leave branches out or scores alike."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def test_the_list_has_a_network_of_every_family_with_names():
    names = (
        {arch.name.removesuffix("_tiny") for arch in SMALL.values()}
        | {arch.name for arch in SMALL.values()}
        | SMALL.keys()
    )
    missing = [family.names[0] for family in FAMILIES if family.names and not names & set(family.names)]
    assert missing == [], "mixtures have no names; they are drawn at random below"


@pytest.mark.parametrize("name", SMALL)
def test_all_families(name):
    maps = explained(filled(Network(SMALL[name])))
    assert maps["gradcam"].std() > 0
    assert maps["gradcam"].min() >= 0
    assert ("seqpool" in maps) == (name.startswith(("cct", "cvt")) and not name.endswith("class"))


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(name):
    network = filled(timm.create_model(name, num_classes=5, **TIMM[name]))
    maps = explained(network, (64, 64))
    read = {"attention"} if name.startswith(("vit", "swin")) else set()
    assert maps.keys() == {"gradcam", "occlusion", "features"} | read
    assert maps["gradcam"].std() > 0


def every_map(arch) -> None:
    network = Network(arch).eval()
    maps = explained(network, pictures=1)
    for name in ("attention", "seqpool"):
        if name in maps:
            assert maps[name].min() >= 0
            assert maps[name].sum() <= 1 + 1e-4


@law(12)
@given(architectures())
def test_random_mixtures(arch):
    every_map(arch)


@pytest.mark.slow
@law(100)
@given(architectures())
def test_a_hundred_random_mixtures(arch):
    every_map(arch)


def test_a_class_token_moves_the_place_before_the_last_attention():
    """Behind it, patches have no influence on the score: maps read there would be zero."""
    vit = Explainer(subject_of(filled(Network(SMALL["deit_tiny"]))))
    blocks = len(SMALL["deit_tiny"].stages[0].blocks)
    assert vit.place.path == f"stages.0.blocks.{blocks - 2}"
    assert vit.place.extra == 1
    pooled = Explainer(subject_of(filled(Network(SMALL["cct_2_3x2_32"]))))
    assert pooled.place.path == "head.norm1"


@pytest.mark.parametrize("name", ["deit_tiny", "cct_2_3x2_32", "convnext_atto"])
def test_grad_cam_is_its_formula_with_the_axes_of_the_place(name):
    """The channels of the map weighed by the mean gradient of each over the positions; tokens lie row by row on the grid."""
    network = filled(Network(SMALL[name]))
    explainer = Explainer(subject_of(network))
    place, x = explainer.place, torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with recorded(network, (place.path,)) as outputs:
        score = network(x)[0, 1]
        (gradient,) = torch.autograd.grad(score, outputs[place.path])
    values, gradient = (t.detach()[0] for t in (outputs[place.path], gradient))
    if values.ndim == 3:
        values, gradient = values.flatten(1).T, gradient.flatten(1).T
    values, gradient = values[place.extra :], gradient[place.extra :]
    expected = (values * gradient.mean(0)).sum(1).view(place.h, place.w)
    found = explainer.maps("gradcam", x, torch.tensor([1]))[0]
    expected = expected.relu() if expected.max() > 0 else expected - expected.min()
    torch.testing.assert_close(found, expected)


def test_what_does_not_fit_says_what_does():
    convnext = Explainer(subject_of(Network(SMALL["convnext_atto"])))
    with pytest.raises(RecipeError, match="no layer of attention; possible are gradcam, occlusion, features"):
        choose_methods(convnext.subject, convnext.place, "attention")
    with pytest.raises(RecipeError, match="give auto, all, gradcam"):
        choose_methods(convnext.subject, convnext.place, "lime")
    assert choose_methods(convnext.subject, convnext.place, "auto") == [
        "gradcam" if convnext.place.n >= 16 else "occlusion"
    ]
    with pytest.raises(ArchitectureError, match="no method forward_features"):
        subject_of(nn.Linear(2, 2))


def test_captum_is_missed_by_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "captum", None)
    explainer = Explainer(subject_of(Network(SMALL["cct_2_3x2_32"])))
    x, y = torch.randn(1, 3, 32, 32), torch.tensor([0])
    for name, method in METHODS.items():
        if name in ("gradcam", "occlusion"):
            with pytest.raises(MissingPackage, match=r"pip install 'glocal\[explain\]'"):
                explainer.maps(name, x, y)
        else:
            assert np.isfinite(explainer.maps(name, x, y).numpy()).all(), method
