"""Pictures of several classes, or of none: read from every form, split so that each label gets its share, and written again."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.data import Manifest, check, write_shards
from glocal.data.splitting import held_out_multi

LABELS = ["cat", "cat|dog", "dog", "bird|cat", "dog|bird"]  # of picture 0, 1, ...


@pytest.fixture
def table(plant) -> Path:
    """Twenty pictures, labelled in turn."""
    root = plant(*(f"{i:02d}.png" for i in range(20)))
    rows = "".join(f"{i:02d}.png,{LABELS[i % 5]}\n" for i in range(20))
    (root / "pets.csv").write_text(f"path,label\n{rows}")
    return root / "pets.csv"


def labelled(data) -> dict[str, set[str]]:
    """The classes of each picture, by digest."""
    splits = [split for split in (data.train, data.val, data.test) if split]
    return {
        row.digest: {data.classes[c] for c in np.flatnonzero(split.labels[i])}
        for split in splits
        for i, row in enumerate(split.rows)
    }


def test_labels_are_separated_by_a_bar(table: Path):
    data = check(table).require_data()
    assert data.multi_label
    assert data.classes == ("bird", "cat", "dog")
    assert data.train.labels.dtype == np.float32
    for split in (data.train, data.val):
        for i, path in enumerate(split.paths):
            wanted = LABELS[int(path[:2]) % 5].split("|")
            assert split.labels[i].tolist() == [float(name in wanted) for name in data.classes]


def test_counts_are_of_labels_and_pictures(table: Path):
    report = check(table)
    assert sum(report.pictures.values()) == 20
    assert sum(sum(of_split.values()) for of_split in report.counts.values()) == 32
    assert report.to_json()["pictures"] == report.pictures


def test_a_manifest_keeps_several_labels(table: Path):
    data = check(table).require_data()
    manifest = Manifest.from_json(json.loads(json.dumps(data.manifest().to_json())))
    assert manifest == data.manifest()
    again = check(table, manifest=manifest).require_data()
    assert again.multi_label
    assert (again.val.labels == data.val.labels).all()
    assert again.fingerprint() == data.fingerprint()


def test_parquet_and_shards_hold_lists(table: Path, tmp_path: Path):
    data = check(table).require_data()
    write_shards(data, tmp_path / "out")
    shards = check(tmp_path / "out").require_data()
    assert (shards.multi_label, shards.classes, labelled(shards)) == (True, data.classes, labelled(data))
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lists = [LABELS[i % 5].split("|") for i in range(20)]
    parquet.write_table(
        pa.table({"path": [f"{i:02d}.png" for i in range(20)], "label": lists}), table.parent / "pets.parquet"
    )
    assert check(table.parent / "pets.parquet").require_data().fingerprint() == data.fingerprint()


def test_a_data_set_saved_to_disk_holds_lists(table: Path, tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    names = ["bird", "cat", "dog"]
    features = {"image": datasets.Image(), "labels": datasets.Sequence(datasets.ClassLabel(names=names))}
    columns = {
        "image": [str(table.parent / f"{i:02d}.png") for i in range(20)],
        "labels": [[names.index(name) for name in LABELS[i % 5].split("|")] for i in range(20)],
    }
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).save_to_disk(tmp_path / "saved")
    assert labelled(check(tmp_path / "saved").require_data()) == labelled(check(table).require_data())


def test_a_picture_may_have_no_label_where_labels_are_lists(plant, tmp_path: Path):
    root = plant(*(f"{i}.png" for i in range(12)))
    with tarfile.open(tmp_path / "a.tar", "w") as shard:
        for i in range(12):
            label = json.dumps({"label": [["cat"], [], ["dog", 7]][i % 3]}).encode()
            for name, data in ((f"{i}.png", (root / f"{i}.png").read_bytes()), (f"{i}.json", label)):
                about = tarfile.TarInfo(name)
                about.size = len(data)
                shard.addfile(about, io.BytesIO(data))
    data = check(tmp_path / "a.tar").require_data()
    assert data.classes == ("7", "cat", "dog")
    assert sum((split.labels.sum(1) == 0).sum() for split in (data.train, data.val)) == 4


def test_a_rare_label_is_noted_and_one_class_is_enough(plant):
    root = plant(*(f"{i}.png" for i in range(10)))
    (root / "a.csv").write_text("path,label\n" + "".join(f"{i}.png,cat{'|lynx' * (i == 3)}\n" for i in range(10)))
    report = check(root / "a.csv")
    assert {(fault.kind, fault.path, fault.severity) for fault in report.faults} == {
        ("one picture", "lynx", "note"),
        ("class map", "lynx", "note"),
    }
    assert "lynx" in report.counts["train"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 5), max_size=4), st.integers(0, 40)), min_size=12, max_size=120),
    st.integers(0, 2**32 - 1),
)
def test_the_split_keeps_groups_whole_and_each_label_on_both_sides(pictures, seed):
    hot = np.array([[label in labels for label in range(6)] for labels, _ in pictures], dtype=np.float32)
    groups = np.array([group for _, group in pictures])
    val = held_out_multi(hot, groups, seed=seed)
    assert (val == held_out_multi(hot, groups, seed=seed)).all()
    assert all(len(set(val[groups == group])) == 1 for group in set(groups))
    for label in range(6):
        if hot[:, label].any():
            assert hot[~val, label].any()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.2, 0.5]))
def test_every_label_gives_its_share(seed, fraction):
    rng = np.random.default_rng(seed)
    hot = rng.random((400, 8)) < np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02])
    val = held_out_multi(hot, np.arange(400), seed=seed, fraction=fraction)
    wanted, given_ = hot.sum(0) * fraction, hot[val].sum(0)
    assert (np.abs(given_ - wanted) <= np.maximum(2, 0.15 * wanted)).all()
    assert abs(val.sum() - 400 * fraction) <= 20
    both = hot.sum(0) >= 2
    assert (given_[both] > 0).all()
