"""Single-path one-shot training of a supernet (Guo et al. 2020), as GLiT has it: each step trains one path, drawn at random.

The steps themselves are those of `training.loop`; which path they train, and how the supernet is watched, is here.
"""

import math
import random
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

import torch

from glocal.design import Architecture, cost, decide, sample
from glocal.design.space import Answers, canonical
from glocal.errors import RecipeError
from glocal.searching.judging import Judge
from glocal.searching.limits import Limits
from glocal.searching.supernet import Supernet
from glocal.training.checkpoint import State
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder
from glocal.training.loop import Job, epoch_row, steps_per_epoch, train_epoch
from glocal.training.recipe import Recipe
from glocal.training.scores import scores

BIN_TRIES = 500  # draws for a path in the bin that was chosen (SPOS' code)
_DRAWN = 1000  # sheets from which bins and the paths that are watched are taken


@dataclass(frozen=True)
class Paths:
    """Which path a step trains: a function of (seed, step), so the same in every process and after a kill.

    bins 0: uniformly drawn. More: one of so many bins of multiply-adds first, then a path in it, so that small and large
    networks are trained as often as middling ones (SPOS' code, which has bins of 10 M).
    """

    space: Architecture
    seed: int
    bins: int = 0
    limits: Limits = field(default_factory=Limits)

    def at(self, step: int) -> Answers:
        """The answers for a step."""
        rng = random.Random(f"path of step {step} with seed {self.seed}")
        answers = self._drawn(rng)
        if self.bins:
            low, high = self._edges
            wanted = rng.randrange(self.bins)
            for _ in range(BIN_TRIES):
                if math.floor(self.bins * (self._macs(answers) - low) / (high + 1 - low)) == wanted:
                    break
                answers = self._drawn(rng)
        return answers

    def watched(self, n: int = 8) -> tuple[Answers, ...]:
        """The smallest and the largest of many drawn paths, and others drawn: in rising order of multiply-adds."""
        rng = random.Random(f"watched with seed {self.seed}")
        drawn = sorted({self._drawn(rng) for _ in range(_DRAWN)}, key=lambda answers: (self._macs(answers), answers))
        between = rng.sample(drawn[1:-1], min(n - 2, max(0, len(drawn) - 2)))
        chosen = {drawn[0], drawn[-1], *between}
        return tuple(answers for answers in drawn if answers in chosen)

    @cached_property
    def _edges(self) -> tuple[float, float]:
        """The least and the most multiply-adds of drawn paths, within the limits: where the bins begin and end."""
        rng = random.Random(f"bins with seed {self.seed}")
        macs = [self._macs(self._drawn(rng)) for _ in range(_DRAWN)]
        least, most = self.limits.of("macs")
        return max(min(macs), least or 0), min(max(macs), most or max(macs))

    def _drawn(self, rng: random.Random) -> Answers:
        return canonical(self.space, sample(self.space, rng))

    def _macs(self, answers: Answers) -> int:
        return cost(decide(self.space, answers)).macs


def check_recipe(recipe: Recipe) -> None:
    """RecipeError for settings that a supernet cannot follow."""
    wrong = {
        f"--opt {recipe.opt}: it steps whole tensors, of which a path may be a slice; take adamw, sgd or momentum": (
            recipe.opt not in ("adamw", "sgd", "momentum")
        ),
        f"--ema {recipe.ema}: an average of paths is none of them; leave it out": recipe.ema > 0,
        f"--layer-decay {recipe.layer_decay}: a supernet has no one order of layers": recipe.layer_decay < 1,
        f"frozen_epochs {recipe.frozen_epochs}: a supernet starts from nothing": recipe.frozen_epochs != 0,
        f"--teacher {recipe.teacher}: not for a supernet": bool(recipe.teacher),
    }
    for told, there in wrong.items():
        if there:
            raise RecipeError(f"a search cannot follow {told}")


def start(supernet: Supernet, recipe: Recipe, *, machine: Machine, run: RunFolder) -> State:
    """The state of a supernet that has taken no step, or of the one that was stopped."""
    state = State.start(supernet.to(machine.device), recipe, machine)  # type: ignore[arg-type]
    supernet.leave_others_alone(state.optimizer)
    if run.state.exists():
        state.load(run.state)
    return state


def train_supernet(state: State, job: Job, *, judge: Judge, watched: tuple[Answers, ...]) -> None:
    """Trains to the recipe's end; a run that is killed and resumed ends in the same bits.

    After each epoch the watched paths are judged, in rising order of size: metrics.csv tells the first, the median and the
    last, and of the one in the middle what it tells of any network. A largest path far behind the median says that the
    supernet has not been trained enough.
    """
    steps = steps_per_epoch(job)
    truth, classes, names = torch.as_tensor(judge.val.split.labels), job.data.classes, judge.val.split.paths
    while state.step < steps * job.recipe.total_epochs:
        epoch, begun = divmod(state.step, steps)
        state.loss_sum *= begun > 0
        lr, images_per_s = train_epoch(state, job, epoch=epoch, start=begun, steps=steps)
        told = [scores(judge.logits(answers), truth, classes=classes, paths=names) for answers in watched]
        middle = told[len(told) // 2]
        state.count_time()
        row = {
            **epoch_row(state, middle, epoch=epoch, steps=steps, lr=lr, images_per_s=images_per_s),
            "val_top1_min": told[0].top1,
            "val_top1_median": median(s.top1 for s in told),
            "val_top1_max": told[-1].top1,
        }
        job.log.epoch(row, middle)
        state.rows.append(row)
        if job.machine.main:
            job.run.write_metrics(state.rows)
        state.save(job.run.state, job.machine)
        job.stop.obey(job.machine, step=state.step, run=job.run.path)
