"""Networks as folders for the Hugging Face hub, without a network: written, read back by every way, refused by reason."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import ModelCard, ModelHubMixin
from hypothesis import given

import glocal
from glocal.errors import WeightError
from glocal.intervals import wilson
from glocal.net import Network
from glocal.net.saving.model_card import NAMED, Result, model_card
from glocal.weights import Model, create_model, load_model, save_model
from glocal.weights.hub import push, write_hub_folder
from strategies import architectures, law, words

NAME = "cct_2_3x2_32"
CLASSES = ("ash", "birch", "ünï 🐟")
PREPROCESS = {
    "size": [32, 32],
    "mean": [0.1, 0.2, 0.3],
    "std": [0.4, 0.5, 0.6],
    "crop_pct": 0.9,
    "interpolation": "bilinear",
}
NOTES = {"epoch": 7, "val": {"top1": 0.875, "n": 160, "interval": [0.8, 0.9]}}
FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model(create_model(NAME, num_classes=3).eval(), CLASSES, PREPROCESS | {"aspect": "crop"}, False, 1.5)


@pytest.fixture
def run(tmp_path, model):
    """What a run leaves that matters here."""
    folder = tmp_path / "run"
    save_model(folder / "weights" / "best.safetensors", model, notes=NOTES)
    (folder / "tests.csv").write_text(
        "when,weights,source,top1,n\n2026-11-01T10:00:00,best.safetensors,d,0.5,40\n2026-11-02T10:00:00,best.safetensors,d,0.75,40\n"
        "2026-11-03T10:00:00,last.safetensors,d,0.1,40\n"
    )
    return folder


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def unreachable(*_, **__):
    raise AssertionError("nothing was asked of the hub")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    for name in ("hf_hub_download", "snapshot_download", "HfApi"):
        monkeypatch.setattr(huggingface_hub, name, unreachable)
    monkeypatch.setattr("glocal.net.saving.hub.hf_hub_download", unreachable)
    monkeypatch.setattr("socket.socket.connect", unreachable)


# ------------------------------------------------------------------------------------------------------ the mixin


def test_a_network_is_saved_and_read_by_the_mixin(tmp_path, model):
    network = create_model(NAME)
    assert isinstance(network, ModelHubMixin)
    save_model(tmp_path / "a.safetensors", model)
    network = load_model(tmp_path / "a.safetensors").network.train()
    assert network.save_pretrained(tmp_path / "hub") is None
    assert names(tmp_path / "hub") == FILES
    back = Network.from_pretrained(tmp_path / "hub")
    assert not back.training
    assert back.arch == network.arch
    assert back.description == network.description
    assert (back.labels, back.description.temperature) == (CLASSES, 1.5)
    assert same(back.state_dict(), network.state_dict())
    back.save_pretrained(tmp_path / "again")
    for name in FILES[:2]:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "hub" / name).read_bytes()


@law(15)
@given(architectures())
def test_any_network_is_read_back_to_the_bit(tmp_path_factory, arch):
    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    network = Network(arch)
    network.save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        for room in ("net.saving.tensor_files", "weights.start"):
            patch.setattr(f"glocal.{room}.vocabulary", words)
        back, again = Network.from_pretrained(folder), create_model(str(folder))
    assert back.arch == again.arch == arch
    assert same(back.state_dict(), network.state_dict())
    assert same(again.state_dict(), network.state_dict())


def test_a_changed_classifier_is_what_is_saved(tmp_path):
    """The mixin's own way would keep the arguments with which the network was made."""
    network = create_model(NAME)
    network.reset_classifier(4)
    network.save_pretrained(tmp_path / "hub")
    assert Network.from_pretrained(tmp_path / "hub").num_classes == 4
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["num_classes"] == 4


def test_the_mixin_pushes_what_it_saves(tmp_path, monkeypatch, model):
    sent = {}

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, **_):
            return type("Repo", (), {"repo_id": repo_id})

        def upload_folder(self, *, folder_path, **said):
            sent.update(said, files=names(folder_path))
            return "address"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    assert model.network.push_to_hub("me/it") == "address"
    assert (sent["repo_id"], sent["files"]) == ("me/it", FILES)


def test_an_argument_that_the_mixin_would_hand_on_is_refused(tmp_path, model):
    model.network.save_pretrained(tmp_path / "hub")
    with pytest.raises(WeightError, match=r"from_pretrained takes no strict; create_model\('hf:.*', \.\.\.\) changes"):
        Network.from_pretrained(tmp_path / "hub", strict=True)


# ------------------------------------------------------------------------------------------------------ the folder


def test_a_run_becomes_the_folder_that_the_hub_expects(tmp_path, run, model):
    written = write_hub_folder(run, tmp_path / "hub", repo_id="me/it", licence="apache-2.0")
    assert sorted(path.name for path in written) == names(tmp_path / "hub") == FILES
    back = load_model(tmp_path / "hub" / "model.safetensors")
    assert back[1:] == model[1:]
    assert same(back.network.state_dict(), model.network.state_dict())
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert config["label_names"] == list(CLASSES)
    assert config["id2label"] == {"0": "ash", "1": "birch", "2": "ünï 🐟"}
    assert config["preprocess"] == model.preprocess
    assert config["pretrained_cfg"]["input_size"] == [3, 32, 32]
    assert (config["architecture"], config["library_name"], config["num_classes"]) == (NAME, "glocal", 3)


def test_the_card_is_what_the_hub_reads_and_says_results_with_their_intervals(tmp_path, run):
    write_hub_folder(run, tmp_path / "hub", repo_id="me/it", licence="apache-2.0")
    card = ModelCard((tmp_path / "hub" / "README.md").read_text())
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == (
        "apache-2.0",
        "glocal",
        "image-classification",
    )
    told = {result.dataset_name: result.metric_value for result in card.data.eval_results}
    assert told == {"validation pictures": 0.875, "test pictures (opened 2 times)": 0.75}
    for top1, n in ((0.875, 160), (0.75, 40)):
        low, high = wilson(top1, n)
        assert f"| {n} | {top1:.2%} | {low:.2%} to {high:.2%} |" in card.text
    assert 'create_model("hf:me/it")' in card.text
    assert "`ash`, `birch`, `ünï 🐟`" in card.text
    assert "| mean | [0.1, 0.2, 0.3] |" in card.text
    assert "## Licence\n\napache-2.0" in card.text


def test_without_results_or_licence_the_card_says_so(tmp_path, model):
    write_hub_folder(model, tmp_path / "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "None were given with these weights." in card
    assert "None was named by who published these weights." in card
    assert "license" not in ModelCard(card).data.to_dict()


def test_results_that_are_given_take_the_place_of_those_found(tmp_path, run):
    mine = Result("field pictures of 2026", 10, 0.5, wilson(0.5, 10))
    write_hub_folder(run, tmp_path / "hub", results=[mine])
    text = (tmp_path / "hub" / "README.md").read_text()
    assert "| field pictures of 2026 | 10 | 50.00% |" in text
    assert "validation pictures" not in text


@pytest.mark.parametrize(
    "notes", [{}, {"val": 3}, {"val": {}}, {"val": {"top1": "x", "n": 3}}, {"val": {"top1": 2.0, "n": 0}}]
)
def test_notes_that_say_no_result_give_none(tmp_path, model, notes):
    save_model(tmp_path / "a.safetensors", model, notes=notes)
    write_hub_folder(tmp_path / "a.safetensors", tmp_path / "hub")
    assert "None were given" in (tmp_path / "hub" / "README.md").read_text()


def test_many_classes_stand_in_the_configuration(tmp_path):
    labels = [f"class {i}" for i in range(NAMED + 5)]
    text = model_card(glocal.architecture(NAME), labels=labels, preprocess={})
    assert f"{NAMED + 5}, in the order of the logits: `class 0`" in text
    assert "and 5 more, in config.json" in text


# ------------------------------------------------------------------------------------------------------ reading it


def test_a_folder_gives_the_network_by_every_way(tmp_path, run, model):
    write_hub_folder(run, tmp_path / "hub")
    x = torch.randn(2, 3, 32, 32)
    wanted = model.network(x)
    readers = {
        "the folder": lambda: create_model(str(tmp_path / "hub")),
        "its weights": lambda: create_model(NAME, weights=tmp_path / "hub"),
        "the mixin": lambda: Network.from_pretrained(tmp_path / "hub"),
        "the run": lambda: create_model(str(run)),
    }
    for reader in readers.values():
        network = reader().eval()
        assert torch.equal(network(x), wanted)
        assert network.labels == CLASSES


def test_a_folder_is_changed_as_a_name_is(tmp_path, model):
    write_hub_folder(model, tmp_path / "hub")
    with pytest.warns(UserWarning, match="the classifier of 5 starts from fresh values"):
        network = create_model(str(tmp_path / "hub"), num_classes=5, in_chans=1, img_size=48)
    assert (network.num_classes, tuple(network.arch.image), network.labels) == (5, (1, 48, 48), ())
    assert network.preprocess["size"] == [48, 48]
    assert network.preprocess["mean"] == pytest.approx([0.2])


def test_a_repository_of_the_hub_is_fetched_by_name(tmp_path, monkeypatch, model):
    write_hub_folder(model, tmp_path / "hub")
    asked = []
    monkeypatch.setattr(
        "glocal.weights.find._from_hub",
        lambda repo, *_, **__: asked.append(repo) or tmp_path / "hub" / "model.safetensors",
    )
    assert create_model("hf:me/it").labels == CLASSES
    assert set(asked) == {"me/it"}


def test_a_folder_called_as_an_architecture_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir()
    assert create_model(NAME).arch.name == NAME


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder, model: folder.mkdir(), r"is not the folder of a run"),
        (lambda folder, model: model.network.save_pretrained(folder) or _strip(folder), r"says nothing of its architecture"),
        (lambda folder, model: folder.mkdir() or (folder / "model.safetensors").write_bytes(b"x"), r"is not a whole safetensors"),
    ],
)  # fmt: skip
def test_a_folder_without_a_network_is_refused(tmp_path, model, make, message):
    make(tmp_path / "hub", model)
    with pytest.raises(WeightError, match=rf"hub.*{message}"):
        create_model(str(tmp_path / "hub"))


def _strip(folder):
    import safetensors.torch

    path = folder / "model.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(path), path)


# ------------------------------------------------------------------------------------------------------ refusals


def test_a_folder_with_other_files_is_not_written_into(tmp_path, model):
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "thesis.tex").touch()
    with pytest.raises(WeightError, match=r"hub holds other files \(thesis.tex\); give a new folder, or an empty one"):
        write_hub_folder(model, tmp_path / "hub")
    assert names(tmp_path / "hub") == ["thesis.tex"]


def test_a_folder_is_written_again(tmp_path, run):
    for _ in range(2):
        write_hub_folder(run, tmp_path / "hub")
    assert names(tmp_path / "hub") == FILES


@pytest.mark.parametrize("wrong", [{"repo_id": "it"}, {"repo_id": "a/b/c"}, {"licence": "Apache 2"}, {"licence": ""}])
def test_names_that_the_hub_does_not_know_are_refused_before_anything_is_written(tmp_path, model, wrong):
    with pytest.raises(WeightError, match=r"write OWNER/REPO|write its identifier"):
        write_hub_folder(model, tmp_path / "hub", **wrong)
    assert not (tmp_path / "hub").exists()


def test_weights_of_others_are_refused_since_they_say_nothing_of_themselves(tmp_path, model):
    torch.save(model.network.state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightError, match=r"w.pth says nothing of its architecture or classes or preprocess"):
        write_hub_folder(tmp_path / "w.pth", tmp_path / "hub")


def test_a_table_of_tests_that_cannot_be_read_is_an_error(tmp_path, run):
    (run / "tests.csv").write_text("weights,n\nbest.safetensors,3\n")
    with pytest.raises(WeightError, match=r"tests\.csv cannot be read"):
        write_hub_folder(run, tmp_path / "hub")


def test_pushing_uploads_the_folder_and_says_what_is_sent(monkeypatch, run):
    sent, lines = {}, []

    class Api:
        def create_repo(self, repo_id, *, private, exist_ok):
            sent.update(repo=repo_id, private=private)

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            sent.update(files=names(folder_path), card=(Path(folder_path) / "README.md").read_text())
            return "https://huggingface.co/me/it"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert push(run, "me/it", licence="mit", private=True, echo=lines.append) == "https://huggingface.co/me/it"
    assert (sent["repo"], sent["private"], sent["files"]) == ("me/it", True, FILES)
    assert "license: mit" in sent["card"]
    assert lines[-1].startswith("uploading ")


def test_a_hub_that_is_not_reached_is_an_error(monkeypatch, run):
    class Api:
        def create_repo(self, *_, **__):
            raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    with pytest.raises(
        WeightError, match=r"me/it could not be pushed \(no route to host\); log in with: hf auth login"
    ):
        push(run, "me/it")
