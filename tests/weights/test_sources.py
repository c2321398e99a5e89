"""Foreign weights: recognised by their keys alone, computing what they computed there, refused where a row is missing."""

import re
import warnings

import pytest
import torch

import glocal
from glocal.errors import WeightError
from glocal.weights import SOURCES, export, load_into
from glocal.weights.tables import LOCUSLAB, OURS, SHI_LABS, TIMM_CONVMIXER, TIMM_VIT
from glocal.weights.translate import names, recognise

MIXER = "convmixer_16_3_p2_k5_32"
PAIRS = [
    (MIXER, LOCUSLAB),
    (MIXER, TIMM_CONVMIXER),
    ("cct_2_3x2_32", SHI_LABS),
    ("cct_2_3x2_32_class", SHI_LABS),
    ("cvt_2_4_32_sine", SHI_LABS),
    ("vit_lite_2_4_32", SHI_LABS),
    ("vit_tiny", TIMM_VIT),
]


def made(name, seed=0, **said):
    torch.manual_seed(seed)
    return glocal.create_model(name, **said).eval()


@pytest.mark.parametrize(("name", "source"), [*PAIRS, *((name, OURS) for name, _ in PAIRS)])
def test_keys_alone_tell_whose_weights_they_are(name, source):
    network, other = made(name, 0), made(name, 1)
    exported = export(network, source)
    assert recognise(exported, other).source == source.name
    assert load_into(other, exported) == source.name
    assert all(torch.equal(t, other.state_dict()[key]) for key, t in network.state_dict().items())


@pytest.mark.parametrize(("name", "source"), PAIRS)
def test_a_table_names_each_weight_once_and_as_its_source_does(name, source):
    exported = export(made(name), source)
    tables = sum("sine" in name and "emb" in key for key in exported)
    assert len(exported) == len(made(name).state_dict()) + tables
    first = {SHI_LABS.name: "tokenizer.conv_layers.0.0.weight", LOCUSLAB.name: "0.weight", TIMM_VIT.name: "cls_token"}
    assert first.get(source.name, "stem.0.weight") in exported
    if source is LOCUSLAB:
        assert {
            "3.0.fn.0.weight",
            "3.0.fn.2.running_var",
            "5.1.weight",
            "5.3.bias",
            "8.weight",
            "8.bias",
        } <= exported.keys()


# ------------------------------------------------------------------------------------------------------ timm in one process


def timm_model(name, **said):
    import timm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timm.create_model(name, pretrained=False, **said)


def randomise(network, seed=0):
    """Every number drawn, so that no bias or norm is at the value that hides a mistake."""
    torch.manual_seed(seed)
    for key, t in network.state_dict().items():
        if t.is_floating_point():
            t.copy_(
                torch.rand_like(t) + 0.5
                if "running_var" in key
                else torch.randn_like(t) * (0.05 if t.ndim > 1 else 0.3)
            )
    return network.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_patch16_224"])
def test_a_vit_gives_timms_logits(name, dtype, tolerance):
    theirs = randomise(timm_model(name, num_classes=11)).to(dtype)
    ours = glocal.create_model(name, num_classes=11).to(dtype).eval()
    assert load_into(ours, theirs.state_dict()) == "timm (ViT)"
    x = torch.randn(1, 3, 224, 224, dtype=dtype, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = ours(x), theirs(x)
        tokens, shown = ours.forward_features(x), theirs.forward_features(x)
    assert (a - b).abs().max() <= tolerance * b.abs().max()
    assert (tokens - shown).abs().max() <= tolerance * shown.abs().max()
    torch.testing.assert_close(export(ours, TIMM_VIT), dict(theirs.state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize(("kernel", "act"), [(5, "gelu"), (8, "gelu"), (7, "relu")])
def test_a_convmixer_gives_timms_logits(dtype, tolerance, kernel, act):
    """k = 8 is here for the uneven padding of even kernels, of which PyTorch warns in timm's own network."""
    from timm.models.convmixer import ConvMixer

    layer = {"gelu": torch.nn.GELU, "relu": torch.nn.ReLU}[act]
    theirs = randomise(ConvMixer(16, 3, kernel, 2, num_classes=10, act_layer=layer)).to(dtype)
    ours = glocal.create_model(f"convmixer_16_3_p2_k{kernel}{'_relu' if act == 'relu' else ''}_32").to(dtype).eval()
    assert load_into(ours, theirs.state_dict()) == "timm (ConvMixer)"
    x = torch.randn(2, 3, 32, 32, dtype=dtype, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), warnings.catch_warnings():
        a = ours(x)
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel", UserWarning)
        b = theirs(x)
    assert (a - b).abs().max() <= tolerance * b.abs().max()


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(("name", "source"), PAIRS)
def test_every_key_without_a_row_and_every_empty_weight_is_listed(name, source):
    network = made(name)
    before = {key: t.clone() for key, t in network.state_dict().items()}
    broken = export(made(name, 1), source)
    keys = [key for key in broken if "emb" not in key or "sine" not in name]
    renamed, removed = keys[1], keys[-3:]
    broken["surprise.weight"] = broken.pop(renamed)
    for key in removed:
        del broken[key]
    with pytest.raises(WeightError) as caught:
        load_into(network, broken)
    message = str(caught.value)
    assert f"not the weights of {network.arch.name} (read with the names of {source.name})" in message
    assert "1 of the file's keys have no row: surprise.weight" in message
    assert re.search(rf"{1 + len(removed)} of the network's weights are not in it: ", message)
    assert all(key in message for key in (renamed, *removed))
    assert all(torch.equal(t, before[key]) for key, t in network.state_dict().items())


def test_every_tensor_of_another_shape_is_listed_and_nothing_is_loaded():
    network = made("cct_2_3x2_32")
    before = {key: t.clone() for key, t in network.state_dict().items()}
    theirs = export(made("cct_2_3x2_32", 1), SHI_LABS)
    theirs["classifier.fc.bias"] = torch.zeros(11)
    theirs["classifier.norm.weight"] = torch.zeros(64)
    with pytest.raises(WeightError, match=r"2 tensors .* do not fit cct_2_3x2_32") as caught:
        load_into(network, theirs)
    assert "classifier.fc.bias is (11,), head.linear1.bias is (10,)" in str(caught.value)
    assert "classifier.norm.weight is (64,), head.norm1.weight is (128,)" in str(caught.value)
    assert all(torch.equal(t, before[key]) for key, t in network.state_dict().items())


def test_the_authors_weights_are_never_read_into_the_other_order_of_norms():
    with pytest.raises(WeightError, match=r"not the weights of cct_2_3x2_32_pre"):
        load_into(made("cct_2_3x2_32_pre"), export(made("cct_2_3x2_32"), SHI_LABS))
    with pytest.raises(WeightError, match=r"SHI-Labs.* has no names for the weights of cct_2_3x2_32_pre"):
        export(made("cct_2_3x2_32_pre"), SHI_LABS)


@pytest.mark.parametrize(("name", "other"), [("cct_2_3x2_32", "cct_4_3x2_32"), (MIXER, "convmixer_16_4_p2_k5_32")])
def test_another_depth_is_refused_in_both_directions(name, other):
    for a, b in ((name, other), (other, name)):
        for source in (s for s in SOURCES if names(made(b), s)):
            with pytest.raises(WeightError, match="not the weights of"):
                load_into(made(a), export(made(b), source))


def test_a_sine_checkpoint_may_leave_its_table_out_but_may_not_hold_another():
    network, weights = made("cct_2_3x2_32_sine"), export(made("cct_2_3x2_32_sine", 1), SHI_LABS)
    table = weights.pop("classifier.positional_emb")
    assert load_into(network, weights) == SHI_LABS.name
    assert load_into(network, {**weights, "classifier.positional_emb": table[:, :16]}) == SHI_LABS.name
    with pytest.raises(WeightError, match=r"classifier.positional_emb is not the sinusoid; a learned table\?"):
        load_into(network, {**weights, "classifier.positional_emb": torch.randn_like(table)})
    with pytest.raises(WeightError, match=r"classifier.positional_emb is \(1, 64, 7\)"):
        load_into(network, {**weights, "classifier.positional_emb": table[..., :7]})


def test_a_source_without_names_for_a_network_says_so():
    with pytest.raises(WeightError, match=r"timm \(ConvMixer\) has no names for the weights of vit_tiny"):
        export(made("vit_tiny"), TIMM_CONVMIXER)
