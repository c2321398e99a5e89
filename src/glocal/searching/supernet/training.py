"""The training of a supernet: each step trains one or a few of its paths.

The steps themselves are those of `training.loop`, and which paths a step trains is decided in `paths`. This file evaluates a few
paths after each epoch.
"""

from statistics import median

import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.design.space import Answers
from glocal.errors import RecipeError
from glocal.evaluation.scores import scores
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.searching.supernet.evaluator import PathEvaluator
from glocal.searching.supernet.supernet import Supernet
from glocal.training.loop import Job, epoch_row, steps_per_epoch, train_epoch
from glocal.training.state import State


def check_recipe(recipe: Recipe) -> None:
    """RecipeError for settings that do not fit the training of a supernet."""
    problems = {
        f"--opt {recipe.opt}: it updates whole tensors, and a path may be a slice of one; use adamw, sgd or momentum": (
            recipe.opt not in ("adamw", "sgd", "momentum")
        ),
        f"--ema {recipe.ema}: an average over paths is none of them; leave it out": recipe.ema > 0,
        f"--layer-decay {recipe.layer_decay}: the layers of a supernet have no single order": recipe.layer_decay < 1,
        f"frozen_epochs {recipe.frozen_epochs}: a supernet starts without pretrained weights": recipe.frozen_epochs
        != 0,
        f"--teacher {recipe.teacher}: a supernet is trained without one": bool(recipe.teacher),
    }
    for problem, is_there in problems.items():
        if is_there:
            raise RecipeError(f"a search cannot use {problem}")


def start(supernet: Supernet, recipe: Recipe, *, machine: Machine, run: RunFolder) -> State:
    """The state of a supernet that has taken no step, or of the one that was stopped."""
    state = State.start(supernet.to(machine.device), recipe, machine)  # type: ignore[arg-type]
    supernet.protect_other_paths(state.optimizer)
    if run.state.exists():
        state.load(run.state)
    return state


def train_supernet(state: State, job: Job, *, evaluator: PathEvaluator, monitored: tuple[Answers, ...]) -> None:
    """Trains to the end of the recipe. A run that is killed and resumed ends in the same bits.

    After each epoch the monitored paths are evaluated, by rising size: metrics.csv gets the accuracies of the first, the median
    and the last, and all that it has of any network for the one in the middle. A largest path far behind the median says that
    the supernet needs more training.
    """
    steps = steps_per_epoch(job)
    labels, classes = torch.as_tensor(evaluator.val.split.labels), job.data.classes
    paths = evaluator.val.split.paths
    while state.step < steps * job.recipe.total_epochs:
        epoch, start_step = divmod(state.step, steps)
        state.loss_sum *= start_step > 0
        lr, images_per_s = train_epoch(state, job, epoch=epoch, start=start_step, steps=steps)
        results = [scores(evaluator.logits(answers), labels, classes=classes, paths=paths) for answers in monitored]
        middle = results[len(results) // 2]
        state.count_time()
        row = {
            **epoch_row(state, middle, epoch=epoch, steps=steps, lr=lr, images_per_s=images_per_s),
            "val_top1_min": results[0].top1,
            "val_top1_median": median(s.top1 for s in results),
            "val_top1_max": results[-1].top1,
        }
        job.log.epoch(row, middle)
        state.rows.append(row)
        if job.machine.main:
            job.run.write_metrics(state.rows)
        state.save(job.run.state, job.machine)
        job.stop.raise_if_requested(job.machine, step=state.step, run=job.run.path)
