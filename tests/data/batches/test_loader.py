"""A batch is a function of seed, epoch and number: a run that stops in an epoch goes on with the same bytes."""

import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glocal.data import Augment, Batches, Preprocess, Split, check
from glocal.data import random_streams as draws
from glocal.errors import DataError
from glocal.machine.failures import failure_of

AUGMENT = Augment(crop="pad", pad=1, hflip=0.5)


@pytest.fixture(scope="module")
def digits() -> Split:
    return check("digits").require_data().val  # 355 pictures


def augmented(picture: np.ndarray, seed: int) -> np.ndarray:
    return AUGMENT.apply(picture, size=(8, 8), seed=seed, channels=1)


def resized(picture: np.ndarray, seed: int) -> np.ndarray:
    return Preprocess(size=(8, 8), mean=(0.5,), std=(0.5,)).resize(picture)


def train(split: Split, **options: Any) -> Batches:
    settings = {"batch_size": 32, "seed": 1, "epoch": 2, **options}
    return Batches(split, **settings, train=True, transform=augmented, drop_last=True)


def same(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    return len(a) == len(b) and all((x == u).all() and (y == v).all() for (x, y), (u, v) in zip(a, b, strict=True))


@pytest.mark.parametrize(("workers", "threads"), [(0, 0), (1, 0), (2, 0), (0, 1), (0, 3)])
@pytest.mark.parametrize("start", [0, 4, 11])
def test_a_start_gives_the_tail_of_the_epoch_whoever_prepares_it(digits: Split, start: int, workers: int, threads: int):
    whole = list(train(digits))
    tail = train(digits, start=start, workers=workers, threads=threads)
    assert same(list(tail), whole[start:])
    assert len(tail) == len(whole) - start


def test_batches_before_the_start_are_not_decoded(digits: Split):
    seen = []

    def watched(picture: np.ndarray, seed: int) -> np.ndarray:
        seen.append(seed)
        return resized(picture, seed)

    next(iter(Batches(digits, batch_size=8, seed=0, epoch=0, start=40, train=True, transform=watched, drop_last=True)))
    assert len(seen) == 8


def test_seed_and_epoch_change_order_and_samples(digits: Split):
    assert same(list(train(digits)), list(train(digits)))
    assert not same(list(train(digits)), list(train(digits, epoch=3)))
    assert not same(list(train(digits)), list(train(digits, seed=2)))


def test_an_epoch_shows_every_picture_at_most_once(digits: Split):
    def path_of(picture: np.ndarray, seed: int) -> np.ndarray:
        return picture.transpose(2, 0, 1)

    batches = Batches(digits, batch_size=50, seed=0, epoch=0, train=True, transform=path_of, drop_last=False)
    shown = torch.cat([x for x, _ in batches]).numpy()
    assert sorted(map(bytes, shown)) == sorted(bytes(digits.picture(i)) for i in range(len(digits)))


def test_evaluation_keeps_order_and_every_picture(digits: Split):
    batches = Batches(digits, batch_size=50, seed=0, epoch=0, train=False, transform=resized, drop_last=False)
    x_BCHW, y_B = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert len(batches) == 8
    assert (y_B.numpy() == digits.labels).all()
    assert all((x_BCHW[i, 0].numpy() == digits.picture(i)[:, :, 0]).all() for i in range(len(digits)))


def test_batches_are_bytes_and_labels(digits: Split):
    x_BCHW, y_B = next(iter(train(digits)))
    assert (x_BCHW.dtype, x_BCHW.shape) == (torch.uint8, (32, 1, 8, 8))
    assert (y_B.dtype, y_B.shape) == (torch.int64, (32,))


def test_training_drops_an_incomplete_batch_unless_it_is_the_only_one(digits: Split):
    assert [len(y) for _, y in train(digits, batch_size=100)] == [100] * 3
    assert [len(y) for _, y in train(digits, batch_size=1000)] == [355]


@pytest.mark.parametrize(("workers", "threads"), [(0, 0), (2, 0), (0, 2)])
def test_the_global_random_states_are_left_as_they_were(digits: Split, workers: int, threads: int):
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()
    list(train(digits, workers=workers, threads=threads))
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]
    assert (torch.get_rng_state() == before[2]).all()


def test_a_start_at_the_end_gives_nothing(digits: Split):
    assert list(train(digits, start=11, workers=2)) == []
    assert len(train(digits, start=99)) == 0


def test_a_reader_that_stops_early_leaves_no_thread(digits: Split):
    before = threading.active_count()
    batches = iter(train(digits, threads=2))
    next(batches)
    batches.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("of", [1, 2, 4])
def test_the_shares_of_a_batch_are_the_batch_and_hold_the_pairs_that_mixup_mixes(digits: Split, of: int):
    whole, _ = train(digits)[3]
    shares = [train(digits, share=(rank, of))[3][0] for rank in range(of)]
    assert sorted(map(bytes, torch.cat(shares).numpy())) == sorted(map(bytes, whole.numpy()))
    partner = {bytes(x): bytes(y) for x, y in zip(whole.numpy(), whole.flip(0).numpy(), strict=True)}
    for share in shares:
        assert all(partner[bytes(x)] == bytes(y) for x, y in zip(share.numpy(), share.flip(0).numpy(), strict=True))


@pytest.mark.parametrize("batch_size", [30, 33, 1000])
def test_a_batch_that_processes_cannot_share_is_an_error(digits: Split, batch_size: int):
    with pytest.raises(DataError, match="multiple of 8"):
        train(digits, batch_size=batch_size, share=(0, 4))


@pytest.mark.parametrize("lost", [ConnectionResetError("reset by peer"), EOFError()])
def test_a_process_that_dies_while_it_sends_a_batch_is_said_to_have_been_killed(digits: Split, monkeypatch, lost):
    def breaks(*args: Any, **options: Any):
        raise lost
        yield

    monkeypatch.setattr("glocal.data.batches.loader.DataLoader", breaks)
    with pytest.raises(RuntimeError) as raised:
        list(train(digits, workers=2))
    assert "was killed" in (failure_of(raised.value) or "")


def test_repeats_show_pictures_several_times_each_time_otherwise(digits: Split):
    batches = train(digits, repeats=3)
    x_BCHW, y_B = (torch.cat(parts) for parts in zip(*batches, strict=True))
    first = draws.order(1, 2, len(digits))[np.arange(256) // 3]
    assert (y_B.numpy() == digits.labels[first]).all()
    assert len({bytes(x) for x in x_BCHW.numpy()}) > 100  # of the 86 pictures


def test_balanced_sampling_shows_classes_equally_often(digits: Split):
    y_B = torch.cat([y for _, y in train(digits, batch_size=71, sampling="balanced")])
    counts = torch.bincount(y_B)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("wrong", [{"sampling": "fair"}, {"sampling": "balanced", "repeats": 2}])
def test_samplings_that_do_not_exist_are_errors(digits: Split, wrong: dict):
    with pytest.raises(DataError, match="sampling"):
        train(digits, **wrong)


@pytest.mark.parametrize(("workers", "threads"), [(0, 0), (2, 0), (0, 2)])
def test_a_file_lost_while_training_is_named(pets: Path, workers: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("glocal.data.checks.scan.MEMORY_BYTES", 0)
    split = check(pets).require_data().train
    (pets / split.paths[3]).unlink()
    batches = Batches(
        split,
        batch_size=4,
        seed=0,
        epoch=0,
        train=True,
        transform=resized,
        drop_last=False,
        workers=workers,
        threads=threads,
    )
    with pytest.raises(DataError) as caught:
        list(batches)
    assert split.paths[3] in str(caught.value)
    assert "no such file" in str(caught.value)
    assert "\n" not in str(caught.value)
