"""The training loop, top to bottom. What it is told is in `recipe`, what it remembers in `checkpoint`."""

import math
import random
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from glocal.data import Augment, Data
from glocal.data.loader import Batches
from glocal.data.preprocess import Preprocess
from glocal.errors import RunError
from glocal.training.checkpoint import State
from glocal.training.folder import RunFolder
from glocal.training.log import Log
from glocal.training.mix import loss, mixer
from glocal.training.recipe import Recipe
from glocal.training.schedule import lr_at
from glocal.training.scores import Scores, score
from glocal.weights import Model, save_model


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes; none of it changes the result on the same kind of device but `amp`."""

    device: torch.device
    amp: bool
    workers: int
    checkpoint_s: float  # seconds between the states written within an epoch


def fit(
    state: State, data: Data, recipe: Recipe, *, preprocess: Preprocess, run: RunFolder, machine: Machine, log: Log
) -> None:
    """Trains from `state` to the recipe's end, keeping the best and the last weights, the metrics and the state in `run`.

    Each step depends on the state, the pictures and (seed, step) alone, so a run that is killed and resumed ends in the
    same bits. Raises RunError at a loss or weights that are not finite, before anything good is overwritten.
    """
    mix = mixer(recipe, classes=len(data.classes), device=machine.device)
    steps = len(_batches(data, recipe, preprocess=preprocess, machine=machine, epoch=0, start=0))
    while state.step < steps * recipe.total_epochs:
        epoch, start = divmod(state.step, steps)
        began, saved, seen = time.monotonic(), time.monotonic(), 0
        state.loss_sum *= start > 0
        state.network.train()
        for x, y in _batches(data, recipe, preprocess=preprocess, machine=machine, epoch=epoch, start=start):
            lr = lr_at(recipe, state.step, steps_per_epoch=steps)
            seed_step(recipe.seed, state.step)
            inputs, targets = mix(preprocess.normalise(x.to(machine.device)), y.to(machine.device), epoch)
            value = _step(state, inputs, targets, recipe=recipe, lr=lr, amp=machine.amp)
            if not math.isfinite(value):
                raise RunError(_not_finite(value, state=state, epoch=epoch, lr=lr, run=run))
            state.step += 1
            state.loss_sum += value
            seen += len(x)
            log.step(epoch=epoch, done=state.step % steps or steps, of=steps, loss=value, lr=lr, images=len(x))
            if time.monotonic() - saved > machine.checkpoint_s and state.step % steps:
                state.save(run.state)
                saved = time.monotonic()
        trained_s = time.monotonic() - began
        scores = score(
            state.judged,
            data.val,
            classes=data.classes,
            preprocess=preprocess,
            device=machine.device,
            workers=machine.workers,
            amp=machine.amp,
            progress=log.validating,
        )
        state.seconds += time.monotonic() - began
        row = {
            "epoch": epoch,
            "step": state.step,
            "time_s": state.seconds,
            "lr": lr,
            "train_loss": state.loss_sum / steps,
            "val_loss": scores.loss,
            "val_top1": scores.top1,
            "val_top5": scores.top5,
            "val_macro_f1": scores.macro_f1,
            "images_per_s": seen / trained_s,
        }
        _keep(state, row, scores=scores, classes=data.classes, preprocess=preprocess, run=run)
        log.epoch(row, scores)


def _batches(
    data: Data, recipe: Recipe, *, preprocess: Preprocess, machine: Machine, epoch: int, start: int
) -> Batches:
    return Batches(
        data.train,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        epoch=epoch,
        start=start,
        train=True,
        transform=Augmented(recipe.augment(), size=preprocess.size, channels=preprocess.channels),
        workers=machine.workers,
        drop_last=True,
    )


@dataclass(frozen=True)
class Augmented:
    """The training transform of one picture: a function of the picture and the sample's seed."""

    augment: Augment
    size: tuple[int, int]
    channels: int

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (channels, *size) uint8."""
        return self.augment.apply(picture, size=self.size, seed=seed, channels=self.channels)


def seed_step(seed: int, step: int) -> None:
    """Seeds what a step draws from (mixing, erasing, dropout, stochastic depth), so that no generator has a past."""
    drawn = int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint32)[0])
    random.seed(drawn)
    np.random.seed(drawn)  # timm's mixup draws from it
    torch.manual_seed(drawn)


def _step(state: State, x: Tensor, target: Tensor, *, recipe: Recipe, lr: float, amp: bool) -> float:
    """One update from one batch, computed in `accumulate` parts; returns the mean loss before the update."""
    total = 0.0
    parts = zip(x.chunk(recipe.accumulate), target.chunk(recipe.accumulate), strict=True)
    for x_part, target_part in parts:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=amp):
            logits = state.network(x_part)
        share = loss(recipe, logits, target_part) * (len(x_part) / len(x))
        share.backward()
        total += share.item()
    if math.isfinite(total):
        if recipe.clip_grad is not None:
            nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip_grad)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        state.optimizer.step()
        if state.average is not None:
            state.average.update_parameters(state.network)
    state.optimizer.zero_grad()
    return total


def _keep(
    state: State,
    row: dict[str, float],
    *,
    scores: Scores,
    classes: tuple[str, ...],
    preprocess: Preprocess,
    run: RunFolder,
) -> None:
    """Writes weights, metrics and, last of all, the state: a kill in between only repeats the epoch."""
    model = Model(state.judged, classes, preprocess.to_json())
    notes = {"epoch": row["epoch"], "val": scores.to_json()}
    for which in ("last", "best") if scores.top1 > state.best else ("last",):
        save_model(run.weights(which), model, notes=notes)
    state.rows.append(row)
    run.write_metrics(state.rows)
    state.save(run.state)


def _not_finite(value: float, *, state: State, epoch: int, lr: float, run: RunFolder) -> str:
    good = f"the last good state is {run.state}" if run.state.exists() else "there is no earlier state"
    return (
        f"the loss is {value} at step {state.step} (epoch {epoch}, learning rate {lr:.3g}); {good}; "
        "try a lower --lr, or --clip-grad 1"
    )
