"""A network of timm behind the adapter: what it costs, how it is written and read, and what of it learns as one."""

import json
import pickle

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch.utils.flop_counter import FlopCounterMode

from glocal.design import Grid, cost
from glocal.errors import ArchitectureError, DataError, GlocalError, ShapeError, WeightError
from glocal.families import architecture
from glocal.families.catalogue import timm_arguments
from glocal.net.saving.tensor_files import read_safetensors, write_safetensors
from glocal.weights import (
    Model,
    build_network,
    cost_of,
    create_model,
    find_architecture,
    find_weights,
    load_model,
    save_model,
    start_from,
)
from glocal.weights.networks.any_network import adapt_any, from_plain, to_plain
from glocal.weights.networks.timm_architecture import TimmArchitecture, weights_file, without_file
from glocal.weights.networks.timm_layers import layer_numbers, timm_sections
from glocal.weights.networks.timm_network import TimmNetwork

SMALL = ("timm:mobilenetv2_035", "timm:test_vit", "timm:test_resnet")
TWO_HEADS = "timm:levit_128s"  # has two classifiers
MIXER = "timm:MlpMixer[img_size=32,patch_size=8,num_blocks=2,embed_dim=16]"
RESMLP = "timm:MlpMixer[img_size=32,patch_size=8,num_blocks=2,embed_dim=16,mlp_ratio=4,block_layer=ResBlock,norm_layer=Affine]"
TEXTS = (*SMALL, MIXER, RESMLP)
PREPARED = {
    "size": [32, 32],
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "aspect": "crop",
}


def made(text, *, classes=3, seed=0):
    torch.manual_seed(seed)
    return build_network(find_architecture(text).adapted(classes=classes))


def pictures(arch, n=2):
    return torch.randn(n, *arch.image, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("text", TEXTS)
def test_a_network_is_its_text_and_its_plain_data(text):
    arch = find_architecture(text)
    assert from_plain(json.loads(json.dumps(to_plain(arch)))) == arch
    assert find_architecture(arch.name).adapted(size=(arch.image.h, arch.image.w)) == arch
    assert find_architecture(f"{text}@some/file.safetensors") == arch
    assert hash(pickle.loads(pickle.dumps(arch))) == hash(arch)


def test_a_file_is_told_from_the_network():
    assert str(weights_file("timm:a.b[c=d]@/x/y@z.safetensors")) == "/x/y@z.safetensors"
    assert without_file("timm:a.b[c=d]@/x/y@z.safetensors") == "timm:a.b[c=d]"
    assert weights_file("timm:a.b") is None
    assert weights_file("cct_2_3x2_32") is None
    assert without_file("cct_2_3x2_32") == "cct_2_3x2_32"


@pytest.mark.parametrize("text", TEXTS)
def test_costs_are_those_of_the_module_in_memory(text):
    arch = adapt_any(find_architecture(text), classes=7, channels=1)
    network, counter = build_network(arch).eval(), FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        logits = network(pictures(arch, 1))
    assert logits.shape == (1, 7)
    assert cost_of(arch) == (sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)


@pytest.mark.parametrize("name", ["convnext_tiny", "swin_tiny", "resnet50"])
def test_timms_twin_of_a_network_of_ours_costs_the_same(name):
    arguments = dict(timm_arguments(name))
    theirs = find_architecture(f"timm:{arguments['model_name']}")
    assert cost_of(theirs) == cost(architecture(name))


def test_counting_draws_no_random_numbers():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    cost_of(find_architecture("timm:test_vit2").adapted(classes=11))
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("text", [*TEXTS, TWO_HEADS])
def test_a_saved_network_is_loaded_to_the_bit_and_timm_reads_it_too(text, tmp_path):
    network = made(text).eval()
    save_model(tmp_path / "x.safetensors", Model(network, ("a", "b", "c"), PREPARED))
    again = load_model(tmp_path / "x.safetensors")
    x = pictures(network.arch)
    assert again.network.arch == network.arch
    assert again.classes == ("a", "b", "c")
    assert torch.equal(again.network.eval()(x), network(x))
    tensors, _ = read_safetensors(tmp_path / "x.safetensors")
    theirs = type(network.model) if "[" in text else None
    if theirs is None:
        module = timm.create_model(
            text.removeprefix("timm:"), num_classes=3, checkpoint_path=str(tmp_path / "x.safetensors")
        )
        assert torch.equal(module.eval()(x), network(x))
    assert tensors.keys() == network.model.state_dict().keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "nothing_of_timm"}, "no network of this name"),
        ({"model": "os.system"}, "no network of this name"),
        ({"model": "hf-hub:someone/something"}, "no network of this name"),
        ({"model": "load_state_dict"}, "no network of this name"),
        ({"settings": {"checkpoint_path": "/etc/passwd"}}, "cannot be set"),
        ({"settings": {"pretrained": True}}, "cannot be set"),
        ({"settings": {"embed_dim": 10**12}}, "at most"),
        ({"settings": {"no_such_argument": 1}}, "cannot be built by timm"),
        ({"settings": {"act_layer": ["GELU"]}}, "no network of timm"),
        ({"settings": "x"}, "no network of timm"),
        ({"image": [3, 10**9, 10**9]}, "are not possible"),
        ({"image": [3]}, "no network of timm"),
        ({"classes": "x"}, "no network of timm"),
        ({"classes": 10**7}, "num_classes"),
        ({"drop_path": 2}, "drop_path"),
        ({"more": 1}, "other fields"),
    ],
)
def test_a_file_cannot_have_anything_made_but_what_timm_lists(changes, said, tmp_path):
    network = made("timm:test_vit")
    save_model(tmp_path / "x.safetensors", Model(network, ("a", "b", "c"), PREPARED))
    tensors, meta = read_safetensors(tmp_path / "x.safetensors")
    meta["architecture"]["TimmArchitecture"].update(changes)
    write_safetensors(tmp_path / "x.safetensors", tensors, meta=meta)
    with pytest.raises(WeightError, match=said):
        load_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timm:mobilnetv2_050", "did you mean mobilenetv2_050"),
        ("timm:mobilenetv2_050.no_such_tag", "no_such_tag"),
        ("timm:", "names no network of timm"),
        ("timm:MlpMixer[embed_dim]", "is no argument"),
        ("timm:MlpMixer[embed_dim=]", "is no argument"),
        ("timm:MlpMixer[img_size=true]", "one side in pixels"),
        ("timm:MlpMixer[in_chans=1]", "in_chans cannot be set"),
        ("timm:glocal_cct_2_3x2_32", "no network of this name"),
    ],
)
def test_a_text_that_names_nothing_is_one_line(text, said):
    with pytest.raises(ArchitectureError, match=said) as error:
        find_architecture(text)
    assert "\n" not in str(error.value)


def test_what_timm_cannot_build_or_read_is_said_before_anything_is_trained():
    with pytest.raises(ArchitectureError, match=r"mixer_b16_224\[embed_dim=8\] for 3x224x224 cannot be built"):
        adapt_any(find_architecture("timm:mixer_b16_224[embed_dim=8]"))
    with pytest.raises(ShapeError, match="pictures of 3x1x1 do not fit"):
        adapt_any(find_architecture("timm:test_convnext"), size=1)
    with pytest.raises(ArchitectureError, match="its own name for attention dropout"):
        adapt_any(find_architecture("timm:test_vit"), attention_dropout=0.1)


def test_pictures_of_another_kind_are_refused():
    network = made("timm:test_vit")
    with pytest.raises(ShapeError, match=r"timm:test_vit reads \(batch, 3, height, width\)"):
        network(torch.zeros(1, 1, 160, 160))
    with pytest.raises(ShapeError, match="is built for pictures of 160x160, not 96x96"):
        network(torch.zeros(1, 3, 96, 96))
    with pytest.raises(DataError, match="normalised pictures"):
        network(torch.zeros(1, 3, 160, 160, dtype=torch.uint8))


@pytest.mark.parametrize("wanted", [architecture, create_model])
def test_the_design_space_says_that_it_has_no_network_of_timm(wanted):
    with pytest.raises(ArchitectureError, match="timm:test_vit is a network of timm and no member of the design space"):
        wanted("timm:test_vit")


@pytest.mark.parametrize("text", TEXTS)
def test_features_and_head_are_the_network(text):
    network = made(text).eval()
    x = pictures(network.arch)
    with torch.no_grad():
        features = network.forward_features(x)
        assert torch.equal(network.forward_head(features), network(x))
        assert network.forward_head(features, pre_logits=True).shape == (2, network.num_features)


# ------------------------------------------------------------------------------------------------------------ weights


def published(text, tmp_path, classes=5):
    """A file of timm's weights, and the module that they are of."""
    torch.manual_seed(1)
    module = timm.create_model(text.removeprefix("timm:"), num_classes=classes)
    torch.save(module.state_dict(), tmp_path / "published.pth")
    return f"{text}@{tmp_path / 'published.pth'}", module.eval()


@pytest.mark.parametrize("text", SMALL)
def test_a_network_starts_from_a_file_of_timms(text, tmp_path):
    source, module = published(text, tmp_path)
    network, loaded = start_from(find_architecture(source), source)
    x = pictures(network.arch)
    assert torch.equal(network.eval()(x), module(x))
    assert network.num_classes == 5
    assert not loaded.fresh
    network, loaded = start_from(find_architecture(source), source, classes=("a", "b", "c"))
    assert loaded.fresh
    assert network.num_classes == 3
    with torch.no_grad():
        x = pictures(network.arch)
        assert torch.equal(network.eval().forward_features(x), module.forward_features(x))


def test_rows_of_the_classifier_are_taken(tmp_path):
    source, module = published("timm:test_vit", tmp_path)
    network, _ = start_from(find_architecture(source), source, head_rows=[4, 1])
    x = pictures(network.arch)
    torch.testing.assert_close(network.eval()(x), module(x)[:, [4, 1]])


def test_filters_and_positions_are_carried_to_other_pictures(tmp_path):
    source, module = published("timm:test_vit", tmp_path)
    grey, loaded = start_from(adapt_any(find_architecture(source), channels=1), source)
    x = torch.randn(2, 1, 160, 160)
    torch.testing.assert_close(grey.eval()(x), module(x.expand(-1, 3, -1, -1)))
    assert "summed for 1" in str(loaded)
    small, loaded = start_from(adapt_any(find_architecture(source), size=96), source)
    assert small(torch.zeros(1, 3, 96, 96)).shape == (1, 5)
    assert loaded.resized == ("pos_embed",)
    source, _ = published(TWO_HEADS, tmp_path)
    with pytest.raises(GlocalError, match="cannot resize"):
        start_from(find_architecture(source).adapted(size=96), source)


def test_weights_of_another_network_are_refused(tmp_path):
    source, _ = published("timm:test_resnet", tmp_path)
    other = f"timm:test_vit@{weights_file(source)}"
    with pytest.raises(WeightError, match="these are not the weights of timm:test_vit"):
        start_from(find_architecture(other), other)
    save_model(tmp_path / "x.safetensors", Model(made("timm:test_resnet"), (), PREPARED))
    with pytest.raises(WeightError, match="holds weights of timm:test_resnet, and not of timm:test_vit"):
        start_from(find_architecture("timm:test_vit"), tmp_path / "x.safetensors")
    with pytest.raises(WeightError, match="holds a network of timm, and cct_2_3x2_32 is one of the design space"):
        create_model("cct_2_3x2_32", weights=tmp_path / "x.safetensors")
    with pytest.raises(WeightError, match="no such file"):
        find_weights("timm:test_vit@nowhere.safetensors")


def test_a_network_of_another_size_keeps_its_other_numbers():
    network = made("timm:test_vit")
    other = network.resized(96)
    assert other(torch.zeros(1, 3, 96, 96)).shape == (1, 3)
    before, after = network.state_dict(), other.state_dict()
    assert [key for key in after if not torch.equal(after[key], before[key])] == ["model.pos_embed"]
    assert network.arch.image == Grid(3, 160, 160)


# ------------------------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("text", [*SMALL, TWO_HEADS])
def test_layers_are_those_by_which_timm_decays_rates(text):
    network = made(text)
    numbers = layer_numbers(network)
    last = max(numbers.values())
    theirs = {
        id(p): group["lr_scale"]
        for group in param_groups_layer_decay(network.model, layer_decay=0.5)
        for p in group["params"]
    }
    for name, p in network.named_parameters():
        assert 0.5 ** (last - numbers[name]) == pytest.approx(theirs[id(p)]), name


@pytest.mark.parametrize("text", [*TEXTS, TWO_HEADS])
def test_every_parameter_is_in_one_section_and_the_classifier_comes_first(text):
    network = made(text)
    sections = timm_sections(network)
    assert sorted(id(p) for section in sections for p in section.parameters) == sorted(map(id, network.parameters()))
    assert {id(p) for p in sections[0].parameters} == {id(p) for p in network.get_classifier().parameters()}
    assert 3 <= len(sections) <= 10
    of_modules = [{id(p) for module in section.modules for p in module.parameters()} for section in sections]
    for section, modules in zip(sections, of_modules, strict=True):
        assert modules <= {id(p) for p in section.parameters}


def test_a_network_of_timm_is_a_module_of_its_own_kind():
    assert isinstance(made(MIXER), TimmNetwork)
    assert isinstance(find_architecture(MIXER), TimmArchitecture)
