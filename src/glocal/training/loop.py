"""The training loop, top to bottom. Its settings are in the `Recipe`, what it saves in `state`, the processes in `machine`."""

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Augment, Data
from glocal.data.batches.loader import Batches
from glocal.data.batches.preprocess import Preprocess
from glocal.errors import DivergedError
from glocal.evaluation.scores import Scores, score
from glocal.machine.processes import Machine, whole_tensor
from glocal.machine.signals import Stop
from glocal.monitoring.log import Log
from glocal.recipes.schema import Recipe
from glocal.training.distillation import Teacher, distilled_loss
from glocal.training.freezing import freeze
from glocal.training.mixing import class_weights, loss, mixer
from glocal.training.optimizer import set_rates
from glocal.training.state import State
from glocal.weights import Model, save_model

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Job:
    """What a run trains on, by which settings, where, and where its log and files go.

    paths: of a supernet, of which each step trains a part. epochs: after which `fit` returns, where it is to stop before the end
    of the recipe. on_epoch: is called after each epoch, counted from 1, before its state is saved.
    """

    data: Data
    recipe: Recipe
    preprocess: Preprocess
    machine: Machine
    run: RunFolder
    log: Log
    stop: Stop
    teacher: Teacher | None = None
    paths: "TrainedPaths | None" = None
    epochs: int | None = None
    on_epoch: Callable[[int, Scores], None] = lambda epoch, scores: None


@dataclass(frozen=True)
class TrainedPaths:
    """Which networks, made of a supernet's weights, a step trains on its batch, one after the other, before one update.

    at: gives the `count` networks of a step. imitating: all but the first learn the outputs of the first instead of the labels.
    """

    at: Callable[[int], Iterator[nn.Module]]
    count: int = 1
    imitating: bool = False


def fit(state: State, job: Job) -> None:
    """Trains from `state` to the end of the recipe, or to `job.epochs`; saves the best and last weights, metrics and state.

    Each step depends only on the state, the pictures and (seed, step), so a run that is killed and resumed ends in the
    same bits. Raises DivergedError at a loss or weights that are not finite, before anything good is overwritten, and Stopped
    after a signal, with the state saved.
    """
    steps = steps_per_epoch(job)
    while state.step < steps * (job.epochs or job.recipe.total_epochs):
        epoch, start = divmod(state.step, steps)
        state.loss_sum *= start > 0
        lr, images_per_s = train_epoch(state, job, epoch=epoch, start=start, steps=steps)
        state.require_finite(job.run.state, job.machine)
        scores = _validate(state, job)
        state.count_time()
        row = epoch_row(state, scores, epoch=epoch, steps=steps, lr=lr, images_per_s=images_per_s)
        job.log.epoch(row, scores)
        job.on_epoch(epoch + 1, scores)
        _save(state, row, scores=scores, job=job)
        job.stop.raise_if_requested(job.machine, step=state.step, run=job.run.path)


def epoch_row(
    state: State, scores: Scores, *, epoch: int, steps: int, lr: float, images_per_s: float
) -> dict[str, float]:
    """The row of an epoch in metrics.csv."""
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
    of_classes = class_weights(recipe, _counts(job.data))
    weights_K = None if of_classes is None else of_classes.to(machine.device)
    whole = None
    if start == 0 and epoch in recipe.restarts:
        state.restart_optimizer(recipe)
    if job.paths is None:
        freeze(state.network, recipe, epoch)
        whole = machine.trained(state.network)
    started_s = saved_s = time.monotonic()
    seen, lr = 0, 0.0
    for (x, y), waited_s in _timed(_batches(job, epoch=epoch, start=start)):
        lr = set_rates(state.optimizer, recipe, state.step, steps_per_epoch=steps)
        seed_step(recipe.seed, state.step, rank=machine.rank)
        inputs, targets = mix(job.preprocess.normalise(x.to(machine.device)), y.to(machine.device), epoch)
        step = _step(state, whole, inputs, targets, job=job, weights_K=weights_K)
        if not math.isfinite(step.loss):
            raise DivergedError(_not_finite(step.loss, state=state, epoch=epoch, lr=lr, run=job.run))
        state.step += 1
        state.loss_sum += step.loss
        images = len(x) * machine.processes
        seen += images
        job.log.step(
            epoch=epoch,
            done=state.step % steps or steps,
            of=steps,
            loss=step.loss,
            lr=lr,
            images=images,
            waited_s=waited_s,
            grad_norm=step.grad_norm,
        )
        due = bool(job.stop.requested) or time.monotonic() - saved_s > machine.checkpoint_s
        if state.step % steps and machine.mean(due)[0]:  # due in any of the processes
            state.save(job.run.state, machine)
            saved_s = time.monotonic()
            job.stop.raise_if_requested(machine, step=state.step, run=job.run.path)
    return lr, seen / (time.monotonic() - started_s)


def _timed(batches: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds that were spent waiting for it."""
    requested_s = time.monotonic()
    for batch in batches:
        yield batch, time.monotonic() - requested_s
        requested_s = time.monotonic()


def _counts(data: Data) -> list[int]:
    """Training pictures of each class."""
    labels = data.train.labels
    counts = np.bincount(labels, minlength=len(data.classes)) if labels.ndim == 1 else (labels > 0).sum(0)
    return [int(n) for n in counts]


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
        """Whether it uses no global random state."""
        return self.augment.threadsafe

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (channels, *size) uint8."""
        return self.augment.apply(picture, size=self.size, seed=seed, channels=self.channels)


def seed_step(seed: int, step: int, *, rank: int = 0) -> None:
    """Seeds the global generators for a step, so that none of them depends on the steps before.

    NumPy's, which mixing uses, has the same seed in all processes; Python's and torch's (erasing, dropout, stochastic depth)
    have another in each process.
    """
    shared, own = (
        int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])
        for words in ((seed, step), (seed, step, rank) if rank else (seed, step))
    )
    np.random.seed(shared)
    random.seed(own)
    torch.manual_seed(own)


class StepResult(NamedTuple):
    """The mean loss of a step, before its update, of all processes; the norm of the gradients, where they are clipped."""

    loss: float
    grad_norm: float | None


def _step(
    state: State, whole: nn.Module | None, x: Tensor, target: Tensor, *, job: Job, weights_K: Tensor | None
) -> StepResult:
    """One update from one batch, computed in `accumulate` parts. `whole` is None for a supernet, whose paths are trained."""
    recipe, machine, norm, total = job.recipe, job.machine, None, 0.0
    parts = list(zip(x.chunk(recipe.accumulate), target.chunk(recipe.accumulate), strict=True))
    for i, (x_part, target_part) in enumerate(parts):
        share = len(x_part) / len(x)
        if whole is None:
            total += _train_paths(state, x_part, target_part, job=job, weights_K=weights_K, share=share)
            continue
        with machine.adding(whole, last=i == len(parts) - 1):
            with torch.autocast(x.device.type, torch.bfloat16, enabled=machine.amp):
                logits = whole(x_part)
                teacher_logits = job.teacher(x_part) if job.teacher else None
            value = loss(recipe, logits, target_part, weights_K=weights_K)
            if teacher_logits is not None:
                value = distilled_loss(recipe, value, logits, teacher_logits)
            torch.autograd.backward(value * share)
        total += value.item() * share
    if job.paths is not None:
        machine.exchange(state.network)
    (total,) = machine.mean(total)
    if math.isfinite(total):
        if recipe.clip_grad is not None:
            norm = float(whole_tensor(nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip_grad)))
        state.optimizer.step()
        if state.average is not None:
            state.average.update_parameters(state.network)
    state.optimizer.zero_grad()
    return StepResult(total, norm)


def _train_paths(state: State, x: Tensor, target: Tensor, *, job: Job, weights_K: Tensor | None, share: float) -> float:
    """Adds the gradients of the mean loss of a step's paths, times `share`; returns that product."""
    paths, first, total = job.paths, None, 0.0
    assert paths is not None
    for path in paths.at(state.step):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=job.machine.amp):
            logits = path.train()(x)
        if first is not None and paths.imitating:
            value = functional.cross_entropy(logits.float(), first)
        else:
            value = loss(job.recipe, logits, target, weights_K=weights_K)
            first = logits.detach().float().softmax(1)
        torch.autograd.backward(value * (share / paths.count))
        total += value.item() * share / paths.count
    return total


def _validate(state: State, job: Job) -> Scores:
    job.machine.level_buffers(state.evaluated)
    return score(
        state.evaluated,
        job.data.val,
        classes=job.data.classes,
        preprocess=job.preprocess,
        machine=job.machine,
        progress=job.log.validating,
    )


def _save(state: State, row: dict[str, float], *, scores: Scores, job: Job) -> None:
    """Saves weights, metrics and, last of all, the state: a kill in between only repeats the epoch."""
    model = Model(job.machine.whole(state.evaluated), job.data.classes, job.preprocess.to_json(), job.data.multi_label)
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
