"""The training loop, top to bottom. What it is told stands in `recipe`, what it keeps in `checkpoint`, its place in `engine`."""

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glocal.data import Augment, Data
from glocal.data.loader import Batches
from glocal.data.preprocess import Preprocess
from glocal.errors import RunError
from glocal.training.checkpoint import State
from glocal.training.distill import Teacher, distilled_loss
from glocal.training.engine import Machine, whole_tensor
from glocal.training.folder import RunFolder
from glocal.training.freezing import freeze
from glocal.training.log import Log
from glocal.training.mix import class_weights, loss, mixer
from glocal.training.optim import set_rates
from glocal.training.recipe import Recipe
from glocal.training.scores import Scores, score
from glocal.training.signals import Stop
from glocal.weights import Model, save_model

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Job:
    """What a run is asked to do, where, and whom it tells."""

    data: Data
    recipe: Recipe
    preprocess: Preprocess
    machine: Machine
    run: RunFolder
    log: Log
    stop: Stop
    teacher: Teacher | None = None
    path: Callable[[int], nn.Module] | None = None  # of a supernet: the network that a step trains, made of its weights


def fit(state: State, job: Job) -> None:
    """Trains from `state` to the recipe's end, keeping the best and the last weights, the metrics and the state.

    Each step depends on the state, the pictures and (seed, step) alone, so a run that is killed and resumed ends in the
    same bits. Raises RunError at a loss or weights that are not finite, before anything good is overwritten, and Stopped
    after a signal, with the state written.
    """
    steps = steps_per_epoch(job)
    while state.step < steps * job.recipe.total_epochs:
        epoch, start = divmod(state.step, steps)
        state.loss_sum *= start > 0
        lr, images_per_s = train_epoch(state, job, epoch=epoch, start=start, steps=steps)
        scores = _validate(state, job)
        state.count_time()
        row = epoch_row(state, scores, epoch=epoch, steps=steps, lr=lr, images_per_s=images_per_s)
        job.log.epoch(row, scores)
        _keep(state, row, scores=scores, job=job)
        job.stop.obey(job.machine, step=state.step, run=job.run.path)


def epoch_row(
    state: State, scores: Scores, *, epoch: int, steps: int, lr: float, images_per_s: float
) -> dict[str, float]:
    """What metrics.csv tells of an epoch."""
    return {
        "epoch": epoch,
        "step": state.step,
        "time_s": state.seconds,
        "lr": lr,
        "train_loss": state.loss_sum / steps,
        "val_loss": scores.loss,
        "val_top1": scores.top1,
        "val_top5": scores.top5,
        "val_macro_f1": scores.macro_f1,
        "images_per_s": images_per_s,
        **({} if scores.map is None else {"val_map": scores.map}),
    }


def steps_per_epoch(job: Job) -> int:
    """Steps of an epoch."""
    return len(_batches(job, epoch=0, start=0))


def train_epoch(state: State, job: Job, *, epoch: int, start: int, steps: int) -> tuple[float, float]:
    """The steps of an epoch from batch `start` on. Returns the last learning rate, and pictures a second of all processes."""
    recipe, machine = job.recipe, job.machine
    mix = mixer(recipe, classes=len(job.data.classes), device=machine.device)
    weigh = class_weights(recipe, _counts(job.data))
    weights_K = None if weigh is None else weigh.to(machine.device)
    whole = None
    if job.path is None:
        freeze(state.network, recipe, epoch)
        whole = machine.trained(state.network)
    began = saved = time.monotonic()
    seen, lr = 0, 0.0
    for (x, y), waited_s in _timed(_batches(job, epoch=epoch, start=start)):
        lr = set_rates(state.optimizer, recipe, state.step, steps_per_epoch=steps)
        trained = whole or job.path(state.step).train()  # type: ignore[misc]
        seed_step(recipe.seed, state.step, rank=machine.rank)
        inputs, targets = mix(job.preprocess.normalise(x.to(machine.device)), y.to(machine.device), epoch)
        taken = _step(state, trained, inputs, targets, job=job, weights_K=weights_K)
        if not math.isfinite(taken.loss):
            raise RunError(_not_finite(taken.loss, state=state, epoch=epoch, lr=lr, run=job.run))
        state.step += 1
        state.loss_sum += taken.loss
        seen += len(x) * machine.processes
        job.log.step(
            epoch=epoch,
            done=state.step % steps or steps,
            of=steps,
            loss=taken.loss,
            lr=lr,
            images=len(x) * machine.processes,
            waited_s=waited_s,
            grad_norm=taken.grad_norm,
        )
        due = bool(job.stop.asked) or time.monotonic() - saved > machine.checkpoint_s
        if state.step % steps and machine.mean(due)[0]:  # due in any of the processes
            state.save(job.run.state, machine)
            saved = time.monotonic()
            job.stop.obey(machine, step=state.step, run=job.run.path)
    return lr, seen / (time.monotonic() - began)


def _timed(batches: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds that were waited for it."""
    asked = time.monotonic()
    for batch in batches:
        yield batch, time.monotonic() - asked
        asked = time.monotonic()


def _counts(data: Data) -> list[int]:
    """Training pictures of each class."""
    labels = data.train.labels
    return (np.bincount(labels, minlength=len(data.classes)) if labels.ndim == 1 else (labels > 0).sum(0)).tolist()


def _batches(job: Job, *, epoch: int, start: int) -> Batches:
    preprocess = job.preprocess
    return Batches(
        job.data.train,
        batch_size=job.recipe.batch_size,
        seed=job.recipe.seed,
        epoch=epoch,
        start=start,
        train=True,
        transform=Augmented(
            job.recipe.augment(), size=job.recipe.training_size(preprocess.size), channels=preprocess.channels
        ),
        workers=job.machine.workers,
        drop_last=True,
        repeats=job.recipe.repeats,
        sampling=job.recipe.sampling,
        share=(job.machine.rank, job.machine.processes),
    )


@dataclass(frozen=True)
class Augmented:
    """The training transform of one picture: a function of the picture and the sample's seed."""

    augment: Augment
    size: tuple[int, int]
    channels: int

    @property
    def threadsafe(self) -> bool:
        """Whether it leaves global random states alone."""
        return self.augment.threadsafe

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (channels, *size) uint8."""
        return self.augment.apply(picture, size=self.size, seed=seed, channels=self.channels)


def seed_step(seed: int, step: int, *, rank: int = 0) -> None:
    """Seeds what a step draws from, so that no generator has a past: NumPy's, from which mixing draws, alike in all
    processes; Python's and torch's (erasing, dropout, stochastic depth) for each process its own."""
    shared, own = (
        int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])
        for words in ((seed, step), (seed, step, rank) if rank else (seed, step))
    )
    np.random.seed(shared)
    random.seed(own)
    torch.manual_seed(own)


class Taken(NamedTuple):
    """A step that was taken: the mean loss before it, of all processes, and the norm of the gradients where it is bounded."""

    loss: float
    grad_norm: float | None


def _step(state: State, trained: nn.Module, x: Tensor, target: Tensor, *, job: Job, weights_K: Tensor | None) -> Taken:
    """One update from one batch, computed in `accumulate` parts."""
    recipe, machine, norm, total = job.recipe, job.machine, None, 0.0
    parts = list(zip(x.chunk(recipe.accumulate), target.chunk(recipe.accumulate), strict=True))
    for i, (x_part, target_part) in enumerate(parts):
        with machine.adding(trained, last=i == len(parts) - 1):
            with torch.autocast(x.device.type, torch.bfloat16, enabled=machine.amp):
                logits = trained(x_part)
                answers = job.teacher(x_part) if job.teacher else None
            value = loss(recipe, logits, target_part, weights_K=weights_K)
            if answers is not None:
                value = distilled_loss(recipe, value, logits, answers)
            share = value * (len(x_part) / len(x))
            share.backward()
        total += share.item()
    if job.path is not None:
        machine.exchange(state.network)
    (total,) = machine.mean(total)
    if math.isfinite(total):
        if recipe.clip_grad is not None:
            norm = float(whole_tensor(nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip_grad)))
        state.optimizer.step()
        if state.average is not None:
            state.average.update_parameters(state.network)
    state.optimizer.zero_grad()
    return Taken(total, norm)


def _validate(state: State, job: Job) -> Scores:
    job.machine.level_buffers(state.judged)
    return score(
        state.judged,
        job.data.val,
        classes=job.data.classes,
        preprocess=job.preprocess,
        machine=job.machine,
        progress=job.log.validating,
    )


def _keep(state: State, row: dict[str, float], *, scores: Scores, job: Job) -> None:
    """Writes weights, metrics and, last of all, the state: a kill in between only repeats the epoch."""
    model = Model(job.machine.whole(state.judged), job.data.classes, job.preprocess.to_json(), job.data.multi_label)
    notes = {"epoch": row["epoch"], "val": scores.to_json()}
    better = scores.chief > state.best
    state.rows.append(row)
    if job.machine.main:
        for which in ("last", "best") if better else ("last",):
            save_model(job.run.weights(which), model, notes=notes)
        job.run.write_metrics(state.rows)
    state.save(job.run.state, job.machine)


def _not_finite(value: float, *, state: State, epoch: int, lr: float, run: RunFolder) -> str:
    good = f"the last good state is {run.state}" if run.state.exists() else "there is no earlier state"
    return (
        f"the loss is {value} at step {state.step} (epoch {epoch}, learning rate {lr:.3g}); {good}; "
        "try a lower --lr, or --clip-grad 1"
    )
