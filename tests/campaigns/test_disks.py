"""Full disks and disks that cannot be written, at every write: a named error, nothing half-written, and room makes it go on."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.conftest import SETTINGS, parts_left
from campaigns.test_kills import CANDIDATES, STUDY, all_whole, assert_same, found, results
from tries import tries

FEW, MANY = 2, 40


class SmallDisk:
    """A file system in memory whose size can be changed."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def mount(self, kib: int) -> None:
        self._call("mount", "-t", "tmpfs", "-o", f"size={kib}k", "glocal-test", str(self.place))

    def change(self, options: str) -> None:
        self._call("mount", "-o", f"remount,{options}", str(self.place))

    def unmount(self) -> None:
        self._call("umount", str(self.place))

    def used_kib(self) -> int:
        return shutil.disk_usage(self.place).used // 1024

    def _call(self, *words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    """Skips where this process may not mount."""
    place = tmp_path / "disk"
    place.mkdir()
    small = SmallDisk(place)
    try:
        small.mount(64)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a small file system")
    small.unmount()
    return small


@contextlib.contextmanager
def mounted(disk: SmallDisk, kib: int) -> Iterator[Path]:
    disk.mount(kib)
    try:
        yield disk.place
    finally:
        disk.unmount()


def full_while_training(forks, disk: SmallDisk, source: Path, whole: Path, n: int) -> str:
    """Trains on disks from one without room to one with enough."""
    forks.run("train", source, *SETTINGS, "--output", whole, "--name", "x").well()
    expected = results(whole / "x")
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in whole.rglob("*")) * 2
    named = 0
    for number in range(n):
        with mounted(disk, 8 + needed * number // n) as place:
            end = forks.run("train", source, *SETTINGS, "--output", place, "--name", "x")
            assert end.code == 0 or end.is_named(), end.text
            named += end.code != 0
            all_whole(place)
            assert not parts_left(place)
            if (place / "x" / "run.yaml").exists():
                disk.change("size=64m")
                forks.run("train", "--resume", place / "x").well()
                assert_same(results(place / "x"), expected)
    return f"{n} sizes of disk, {named} too small: each a named error, no part of a file, the same bits once there was room"


@pytest.mark.slow
def test_a_disk_that_is_full_stops_a_training_which_goes_on_when_there_is_room(forks, disk, pixels, tmp_path):
    full_while_training(forks, disk, pixels, tmp_path / "whole", FEW)


@pytest.mark.slow
@pytest.mark.campaign
def test_a_disk_that_is_full_at_any_write_stops_a_training_by_name(forks, disk, pixels, tmp_path):
    print(f"train: {full_while_training(forks, disk, pixels, tmp_path / 'whole', tries(MANY))}")


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("verb", ["study", "search"])
def test_a_table_of_trials_on_a_full_disk_stops_by_name_and_goes_on(forks, disk, pixels, tmp_path, verb):
    """SQLite is among what has no room."""
    (tmp_path / "kernels.yaml").write_text(STUDY)
    words = {
        "study": [tmp_path / "kernels.yaml", pixels, "--scale", "paper", "--seeds", 2, "--workers", 1],
        "search": f"{pixels} --space glit_cifar_12_2 --strategy supernet --supernet-epochs 1 --candidates 8 --finalists 2 "
        "--finalist-epochs 1 --workers 1 --recipe small --val-fraction 0.25 --set population=4 --set calibration=16 "
        "--set img_size=16 --set warmup_epochs=0 --set batch_size=8".split(),
    }[verb]
    whole, n, named = tmp_path / "whole", tries(MANY // 2), 0
    forks.run(verb, *words, "--output", whole, "--name", "x").well()
    expected = found(verb, whole / "x")
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in whole.rglob("*"))
    for number in range(n):
        with mounted(disk, 8 + needed * number // n) as place:
            end = forks.run(verb, *words, "--output", place, "--name", "x")
            assert end.code == 0 or end.is_named(), end.text
            named += end.code != 0
            all_whole(place)
            if any((place / "x" / name).exists() for name in ("run.yaml", "search.yaml")):
                disk.change("size=64m")
                forks.run(verb, "--resume", place / "x").well()
                assert found(verb, place / "x") == expected
    print(f"{verb}: {n} sizes of disk, {named} too small: each a named error, the same table once there was room")


VERBS = {
    "train": lambda pixels, run: ["train", pixels, *SETTINGS, "--name", "x", "--output"],
    "export": lambda pixels, run: ["export", run, "--to", "torch", "--pictures", 8, "--output"],
    "shard": lambda pixels, run: ["shard", pixels],
    "pick": lambda pixels, run: [
        "pick",
        pixels,
        "--candidates",
        CANDIDATES,
        "--epochs",
        1,
        "--budget",
        "3h",
        "--output",
    ],
    "resume": lambda pixels, run: ["train", "--resume"],
    "val": lambda pixels, run: ["val"],
    "report": lambda pixels, run: ["report"],
    "explain": lambda pixels, run: ["explain", run, pixels / "red" / "00.png", "--output"],
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_disk_that_cannot_be_written_is_named(forks, disk, pixels, run, verb):
    words = VERBS[verb](pixels, run)
    with mounted(disk, 2**16) as place:
        shutil.copytree(run, place / "x")
        disk.change("ro")
        target = place / "x" if verb in ("resume", "val", "report") else place / "new"
        end = forks.run(*words, target)
        assert end.is_named() or (end.code == 0 and verb in ("val", "resume")), end.text
        assert str(place) in end.text
