"""A search sees training pictures only: where its train and val come from, and what it cannot read."""

import csv
import json
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glocal.data import Manifest, Preprocess, check
from glocal.data.checks import scan as scanning
from glocal.data.pictures import Unreadable
from glocal.data.store import Folder
from glocal.errors import DataError
from glocal.evaluation.scores import score
from glocal.machine.processes import Machine
from glocal.searching.search_data import CachedSplit, calibration, search_data

PREPROCESS = Preprocess((16, 12))
COUNTS = {"train": 20, "val": 6, "test": 8}
CPU = Machine(torch.device("cpu"))


def paint(file, seed):
    file.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((32, 24), Image.Resampling.BICUBIC).save(file)


@pytest.fixture
def source(tmp_path):
    """Two classes; every split is the source's own."""
    names = [f"{split}/{pet}/{i}.png" for split, n in COUNTS.items() for pet in ("cat", "dog") for i in range(n)]
    for seed, name in enumerate(names):
        paint(tmp_path / "pets" / name, seed)
    return tmp_path / "pets"


@pytest.fixture
def flat(tmp_path):
    """Two classes of unequal size, no splits."""
    for seed in range(60):
        paint(tmp_path / "flat" / ("cat" if seed % 3 else "dog") / f"{seed:02}.png", seed)
    return tmp_path / "flat"


@pytest.fixture
def unkept(monkeypatch):
    """Pictures are read again each time, as those of large sources are."""
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 0)


def test_a_val_that_was_split_off_is_held_out_already(flat):
    data = check(flat).require_data()
    found = search_data(data, seed=5)
    assert not data.val_is_own
    assert (found.train.rows, found.val.rows, found.split_rule) == (data.train.rows, data.val.rows, data.split_rule)
    with pytest.raises(DataError, match=r"holding out 0.3 has no effect; leave it out, or give --val-fraction"):
        search_data(data, held_out=0.3, seed=5)


def test_a_val_of_the_source_is_set_aside_and_another_is_drawn_from_train(source):
    data = check(source).require_data()
    found = search_data(data, seed=5)
    assert data.val_is_own
    assert found.test is None
    assert {*found.train.paths, *found.val.paths} == {*data.train.paths}
    assert len(found.train) + len(found.val) == len(data.train)
    assert np.bincount(found.val.labels).tolist() == [4, 4]
    assert (found.val.name, found.seed, found.val_is_own) == ("val", 5, False)
    assert found.split_rule.startswith("val is 8 of 40 training pictures, stratified by class with seed 5")
    assert found.split_rule.endswith("own val of 12 is set aside; test, 16 pictures, is set aside")
    again, other = (search_data(check(source).require_data(), seed=seed) for seed in (5, 6))
    assert again.fingerprint() == found.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(("held_out", "n"), [(0.5, 20), (10, 10), (None, 8)])
def test_a_share_or_a_number_is_held_out(source, held_out, n):
    assert len(search_data(check(source).require_data(), held_out=held_out, seed=0).val) == n


@pytest.mark.parametrize("held_out", [0, 40, -1, 1.5, 1000])
def test_what_leaves_no_train_or_no_val_is_refused(source, held_out):
    with pytest.raises(DataError, match="a share between 0 and 1, or a number of the 40 training pictures"):
        search_data(check(source).require_data(), held_out=held_out, seed=0)


def test_duplicates_stay_on_one_side(source):
    for i in range(0, 20, 2):  # every second picture is the one before it, encoded anew
        Image.open(source / f"train/cat/{i}.png").save(source / f"train/cat/{i + 1}.png", compress_level=1)
    data = check(source).require_data()
    for seed in range(5):
        val = {*search_data(data, seed=seed).val.paths}
        assert all((f"train/cat/{i}.png" in val) == (f"train/cat/{i + 1}.png" in val) for i in range(0, 20, 2))


def test_groups_that_the_source_names_stay_on_one_side(source, tmp_path):
    rows = [
        (f"pets/{file.relative_to(source)}", file.parts[-2], file.parts[-3]) for file in sorted(source.rglob("*.png"))
    ]
    with (tmp_path / "pets.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label", "split", "group"), *((*row, f"{row[2]} {i // 4}") for i, row in enumerate(rows))]
        )
    data = check(tmp_path / "pets.csv").require_data()
    group_of = {path: f"{split} {i // 4}" for i, (path, _, split) in enumerate(rows)}
    found = search_data(data, seed=0)
    assert len(found.val)
    assert not {group_of[path] for path in found.train.paths} & {group_of[path] for path in found.val.paths}


def test_pictures_of_several_labels_are_divided_too(source, tmp_path):
    rows = [(f"pets/{file.relative_to(source)}", file.parts[-3]) for file in sorted(source.rglob("*.png"))]
    with (tmp_path / "pets.csv").open("w", newline="") as file:
        labels = ("a|b", "a", "b|c")
        csv.writer(file).writerows(
            [("path", "label", "split"), *((p, labels[i % 3], s) for i, (p, s) in enumerate(rows))]
        )
    data = check(tmp_path / "pets.csv").require_data()
    found = search_data(data, seed=0)
    assert found.multi_label
    assert len(found.val) == 8
    assert (found.val.labels.sum(0) > 0).all()
    few = calibration(found, 10, seed=0)
    assert few.labels.shape == (10, 3)
    assert CachedSplit.of(few, PREPROCESS).labels.dtype == torch.float32


def test_a_search_reads_no_picture_of_test_or_of_the_sources_val(source, unkept, monkeypatch):
    """Every read of a file is recorded, and one of a picture set aside raises."""
    found = search_data(check(source).require_data(), seed=0)
    read = Counter()
    real = Folder.read

    def recorded(self, path):
        assert path.startswith("train/"), f"the search has read {path}"
        read[path] += 1
        return real(self, path)

    monkeypatch.setattr(Folder, "read", recorded)
    for split in (found.train, found.val, calibration(found, 7, seed=0)):
        for most_bytes in (0, 2**30):
            assert sum(len(x) for x, _ in CachedSplit.of(split, PREPROCESS, most_bytes=most_bytes).batches(8)) == len(
                split
            )
    assert {*read} == {*found.train.paths, *found.val.paths}


def test_what_a_search_holds_cannot_read_what_is_set_aside(source, unkept):
    found = pickle.loads(pickle.dumps(search_data(check(source).require_data(), seed=0)))
    assert found.train.store.read(found.train.paths[0])
    aside = ["test/cat/0.png", "val/dog/1.png", str(source / "test/cat/0.png"), "train/../test/cat/0.png"]
    for path in [*aside, *found.val.paths]:
        with pytest.raises(Unreadable, match="not one of the pictures that a search may read"):
            found.train.store.read(path)
        assert found.train.store.stamp(path) is None
    rows_text = json.dumps(found.manifest().to_json()["rows"])
    assert "test/" not in rows_text
    assert "val/" not in rows_text


def test_a_search_goes_on_with_the_manifest_it_kept(source, unkept):
    found = search_data(check(source).require_data(), seed=3)
    kept = Manifest.from_json(json.loads(json.dumps(found.manifest().to_json())))
    again = search_data(check(source, manifest=kept).require_data(), seed=3)
    assert again.fingerprint() == found.fingerprint()
    assert again.split_rule == found.split_rule
    with pytest.raises(Unreadable, match="may read"):
        again.train.store.read(again.val.paths[0])


def test_a_manifest_with_a_val_of_its_own_is_refused_also_if_it_is_too_old_to_say_so(source, flat):
    manifest = check(source).require_data().manifest()
    with pytest.raises(DataError, match="does not say which pictures belong together"):
        search_data(check(source, manifest=manifest).require_data(), seed=0)
    old = check(flat).require_data().manifest().to_json()
    assert Manifest.from_json(old).val_is_own is False
    del old["val_is_own"]
    with pytest.raises(DataError, match="check the source anew, without the manifest"):
        search_data(check(flat, manifest=Manifest.from_json(old)).require_data(), seed=0)


def test_the_digits_are_pictures_too():
    data = search_data(check("digits").require_data(), seed=0)
    split = calibration(data, 50, seed=0)
    x, labels = next(CachedSplit.of(split, Preprocess((8, 8), mean=(0.5,), std=(0.5,))).batches(50))
    assert x.shape == (50, 1, 8, 8)
    assert np.bincount(labels).tolist() == pytest.approx([5] * 10, abs=1)


def test_calibration_is_a_prefix_of_one_order_with_the_classes_in_their_shares(flat):
    data = check(flat).require_data()
    shares = np.bincount(data.train.labels) / len(data.train)
    for n in (3, 12, 30):
        few = calibration(data, n, seed=1)
        assert np.bincount(few.labels) == pytest.approx(n * shares, abs=1)
        assert few.paths == calibration(check(flat).require_data(), 40, seed=1).paths[:n]
        assert few.paths != calibration(data, n, seed=2).paths
    assert sorted(calibration(data, 1000, seed=1).paths) == sorted(data.train.paths)


class Recording(nn.Module):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(x.clone())
        return x.mean((2, 3))[:, :2]


@pytest.mark.parametrize("most_bytes", [0, 2**30], ids=["read again", "in memory"])
def test_resident_pictures_are_those_that_score_sees(source, unkept, most_bytes):
    val = search_data(check(source).require_data(), seed=0).val
    network = Recording()
    score(network, val, classes=("cat", "dog"), preprocess=PREPROCESS, machine=CPU, batch_size=3)
    resident = CachedSplit.of(val, PREPROCESS, most_bytes=most_bytes)
    assert (resident.pictures is None) == (most_bytes == 0)
    for _ in range(2):
        batches = [*resident.batches(3)]
        assert len(batches) == len(network.seen) == 3
        assert all(
            torch.equal(PREPROCESS.normalise(x), seen) for (x, _), seen in zip(batches, network.seen, strict=True)
        )
        assert torch.equal(torch.cat([labels for _, labels in batches]), torch.from_numpy(val.labels))
    assert len(resident) == len(val) == 8


def test_the_limit_of_memory_is_a_limit(source):
    val = search_data(check(source).require_data(), seed=0).val
    need = len(val) * 3 * 16 * 12
    assert CachedSplit.of(val, PREPROCESS, most_bytes=need).pictures.nbytes == need
    assert CachedSplit.of(val, PREPROCESS, most_bytes=need - 1).pictures is None
