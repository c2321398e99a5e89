"""ViT and DeiT, the baseline: timm's sizes."""

import pytest

from glocal.design import cost
from glocal.families import architecture


@pytest.mark.parametrize(("size", "params"), [("tiny", 5_717_416), ("small", 22_050_664), ("base", 86_567_656)])
@pytest.mark.parametrize("family", ["vit", "deit"])
def test_params_are_timms(family, size, params):
    assert cost(architecture(f"{family}_{size}")).params == params


def test_deit_is_vit_with_stochastic_depth():
    deit, vit = architecture("deit_small"), architecture("vit_small")
    assert (deit.stem, deit.stages, deit.head, deit.image, deit.init) == (
        vit.stem,
        vit.stages,
        vit.head,
        vit.image,
        vit.init,
    )
    assert (deit.drop_path, vit.drop_path) == (0.1, 0.0)


@pytest.mark.parametrize(("patch", "size"), [(16, 384), (32, 224), (8, 224)])
def test_patch_and_picture_size_are_read_from_timms_name(patch, size):
    arch = architecture(f"vit_small_patch{patch}_{size}")
    assert (arch.stem[0].patch, arch.image) == (patch, (3, size, size))
    assert arch.name == f"vit_small_patch{patch}_{size}"
