"""One level of a search: its supernet is trained, its candidates are judged, its finalists are trained, and one of them wins.

Each phase takes over what its files say has been done, so that a search that was killed goes on where it was.
"""

import hashlib
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from glocal.design import Architecture, decide, dump
from glocal.design.space import Answers, size
from glocal.design.text import count
from glocal.searching.evolution import Candidate, Method, best, competing, written
from glocal.searching.evolve import evolve
from glocal.searching.finalists import Entry, Trained, train_all, write_table
from glocal.searching.front import crowded
from glocal.searching.judging import BATCH, Judge
from glocal.searching.oneshot import Paths, start, train_supernet
from glocal.searching.opened import OpenSearch
from glocal.searching.plan import judge_s, train_s
from glocal.searching.supernet import Supernet
from glocal.searching.table import Table, about
from glocal.searching.watching import Watch
from glocal.training.folder import RunFolder, write_yaml
from glocal.training.log import Log
from glocal.training.loop import Job
from glocal.training.run import threads
from glocal.training.signals import Stop
from glocal.weights.files import save

WATCHED = 8  # paths by which the training of a supernet is followed; ours, since GLiT's are not told
WATCHED_ON = 1000  # held-out pictures


@dataclass(frozen=True, eq=False)
class Winner:
    """The best finalist of a level."""

    answers: Answers
    arch: Architecture
    trained: Trained


@dataclass(frozen=True, eq=False)
class Level:
    """A level of a search that is open."""

    search: OpenSearch
    name: str
    space: Architecture

    def winner(self) -> Winner:
        """Goes through the phases, from where they are."""
        self.search.asked.limits.check_feasible(self.space)
        write_yaml(self.path / "space.yaml", dump(self.space))
        self.search.say(f"level {self.name}: {self.space.name}, {count(size(self.space))} networks")
        spending = self.search.plan.spending
        with spending(f"{self.name}/supernet"):
            self._train_supernet()
        with spending(f"{self.name}/candidates"):
            chosen = self._candidates()
        with spending(f"{self.name}/finalists"):
            return self._best_of(chosen)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.search.folder / self.name

    def _units(self, phase: str) -> int:
        """How much of a phase there is."""
        return self.search.plan.decide(f"{self.name}/{phase}", partial(unit_seconds, self.search, self.space))

    def _train_supernet(self) -> None:
        search, path = self.search, self.path / "supernet.safetensors"
        run = RunFolder(self.path / "supernet")
        if path.exists():
            shutil.rmtree(run.state.parent, ignore_errors=True)
            return
        epochs, asked = self._units("supernet"), search.asked
        recipe = search.recipe.merged({"epochs": epochs, "cooldown_epochs": 0})
        if not run.settings.exists():
            told = {"supernet": self.space.name, "settings": recipe.model_dump(mode="json")}
            run.begin(told, self.space, search.data.manifest())
        torch.manual_seed(asked.seed)
        supernet = Supernet(self.space, sharing=asked.sharing)
        paths = Paths(self.space, asked.seed, asked.bins, asked.limits)
        weights = sum(p.numel() for p in supernet.parameters())
        search.say(
            f"  supernet: {count(weights)} weights, {asked.sharing}; {epochs} epoch{'s' * (epochs > 1)}, one path a step"
        )
        every = len(search.data.val)
        val = search.data.val.taken(np.linspace(0, every - 1, min(WATCHED_ON, every)).astype(np.int64))
        state = start(supernet, recipe, machine=search.machine, run=run)
        judge = Judge(supernet, search.resident(val), search.resident(search.calibration))
        log = Log(
            run,
            epochs=epochs,
            val_size=len(val),
            console=search.console,
            start=state.step,
            device=search.machine.device,
        )
        with Stop().listening() as stop, log:
            job = Job(
                search.data,
                recipe,
                search.preprocess,
                search.machine,
                run,
                log,
                stop,
                path=lambda step: supernet.path(paths.at(step)),
            )
            train_supernet(state, job, judge=judge, watched=paths.watched(WATCHED))
        save(path, supernet.state_dict(), meta={"sharing": asked.sharing})
        shutil.rmtree(run.state.parent)  # half of it is moments, which nobody needs any more

    def _candidates(self) -> list[Candidate]:
        """The candidates that become finalists: the most accurate, or, where a cost counts too, some all along the front."""
        search, asked = self.search, self.search.asked
        method = asked.evolution(self._units("candidates"))
        with (self.path / "supernet.safetensors").open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
        begun = {**about(self.space, method, limits=asked.limits, seed=asked.seed), "supernet": weights}
        search.say(f"  candidates: {sum(method.batches):,} by {asked.method}, {asked.limits.named()}")
        told = self.path / "candidates.csv"
        with Table.open(search.storage, f"{search.folder.name}/{self.name}", begun) as table:
            done = table.candidates()
            if not (done and told.exists()):  # a phase that is over stays so, whatever time there is now
                done = self._judge(table, method)
                table.write_csv(told)
        there = competing(done, method)
        return crowded(there, asked.front)[: asked.finalists] if asked.front else best(there, asked.finalists)

    def _judge(self, table: Table, method: Method) -> list[Candidate]:
        search, asked, deadline = self.search, self.search.asked, None
        if asked.budget_s is not None:  # twice what was measured: then the machine is not what it was
            share_s = search.plan.seconds_for(f"{self.name}/candidates", search.plan.spent_s)
            deadline = time.monotonic() + 2 * share_s
        generations, cost = len(method.batches), asked.front or "macs"
        watch = Watch(search.console, generations=generations, population=method.population, cost=cost)
        with watch, threads(search.threads):  # a judge in this process takes one
            return evolve(
                self.space,
                search.judging(self.name),
                method=method,
                limits=asked.limits,
                price=search.pricer(self.space),
                seed=asked.seed,
                table=table,
                workers=search.workers,
                engine=search.engine,
                deadline=deadline,
                tell=lambda batch: watch.generation(batch[0].generation, batch),
            )

    def _best_of(self, chosen: Sequence[Candidate]) -> Winner:
        search = self.search
        epochs = self._units("finalists")
        recipe = search.recipe.merged({"epochs": epochs, "cooldown_epochs": 0})
        archs = [replace(decide(self.space, c.answers), name=f"{self.space.name}_{written(c.answers)}") for c in chosen]
        entries = [Entry(self.path / "finalists" / str(i + 1), arch, recipe) for i, arch in enumerate(archs)]
        search.say(
            f"  finalists: the best {len(entries)}, trained from scratch, {epochs} epoch{'s' * (epochs > 1)} each"
        )
        trained = train_all(entries, search, tell=lambda entry, one: search.say(f"  {entry.folder.name}: {one.val}"))
        won = write_table(self.path / "finalists.csv", list(zip(chosen, archs, trained, strict=True)))
        search.say(f"  winner of {self.name}: {written(chosen[won].answers)}, {trained[won].val.top1:.2%}\n")
        return Winner(chosen[won].answers, archs[won], trained[won])


def unit_seconds(search: OpenSearch, space: Architecture, phase: str) -> float:
    """Seconds of an epoch of the supernet, of a candidate, or of an epoch of all finalists, measured here and now."""
    archs = [decide(space, answers) for answers in Paths(space, search.asked.seed).watched(4)]
    train, val, device = len(search.data.train), len(search.data.val), search.machine.device
    calibration = min(search.asked.calibration, train)
    at_once = {"supernet": 1, "candidates": search.workers, "finalists": min(search.workers, search.asked.finalists)}[
        phase
    ]
    forward_s = judge_s(archs, BATCH, device=device, threads=1, at_once=at_once)
    if phase == "candidates":
        return (val + calibration) * forward_s / at_once
    each = search.threads if phase == "supernet" else search.threads_alone
    step_s = train_s(archs, search.recipe, device=device, threads=each, at_once=at_once)
    if phase == "supernet":
        return train * step_s + WATCHED * (min(WATCHED_ON, val) + calibration) * forward_s
    return (train * step_s + val * forward_s) * math.ceil(search.asked.finalists / at_once)
