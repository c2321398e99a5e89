"""Trains one network of the bench alone, and notes which held-out pictures it gets right after every epoch."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from benchmarks.nas_bench.pictures import Pictures, batches
from torch import Tensor, nn

from glocal.design import Architecture
from glocal.net import Network
from glocal.recipes import recipe as named_recipe
from glocal.recipes.schema import Recipe
from glocal.training.loop import seed_step
from glocal.training.mixing import loss
from glocal.training.optimizer import optimizer, set_rates

EPOCHS = (1, 3, 9)
"""Lengths of the schedules, each of them a training of its own, at the end of which the rate is zero."""
TEST_BATCH = 500


def bench_recipe(epochs: int, seed: int) -> Recipe:
    """AdamW with a cosine: the recipe `small` with batches of 100 and a short warm-up."""
    changes = {"epochs": epochs, "seed": seed, "batch_size": 100, "lr": 3e-3, "warmup_epochs": 0.3, "img_size": 32}
    return named_recipe("small").but(changes)


@dataclass(frozen=True)
class Trained:
    """What one training gave: for every epoch which held-out pictures were right and the processor's seconds; at the end the
    same for the pictures that judge."""

    val: np.ndarray  # bool (epochs, pictures)
    seconds: np.ndarray  # float32 (epochs,), training and validation of that epoch
    test: np.ndarray | None  # bool (pictures,)


def train(arch: Architecture, pictures: Pictures, *, epochs: int, seed: int, judged: bool) -> Trained:
    """Trains from scratch. The order of pictures and their crops depend on seed and epoch only."""
    recipe = bench_recipe(epochs, seed)
    torch.manual_seed(seed)
    network = Network(arch).train()
    steps = len(pictures.train[0]) // recipe.batch_size
    by, step, rows, seconds = optimizer(network, recipe), 0, [], []
    for epoch in range(epochs):
        started = time.process_time()
        for x, y in batches(*pictures.train, size=recipe.batch_size, seed=seed, epoch=epoch):
            set_rates(by, recipe, step, steps_per_epoch=steps)
            seed_step(seed, step)
            update(network, x, y, by=by, recipe=recipe)
            step += 1
        rows.append(correct(network, *pictures.val))
        seconds.append(time.process_time() - started)
    test = correct(network, *pictures.test) if judged else None
    return Trained(np.stack(rows), np.array(seconds, dtype=np.float32), test)


def update(network: nn.Module, x: Tensor, y: Tensor, *, by: torch.optim.Optimizer, recipe: Recipe) -> None:
    """One step of the optimiser."""
    torch.autograd.backward(loss(recipe, network(x), y))
    if recipe.clip_grad is not None:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_grad)
    by.step()
    by.zero_grad()


@torch.inference_mode()
def correct(network: nn.Module, x_NCHW: Tensor, y: Tensor) -> np.ndarray:
    """Which pictures a network gets right, bool (N,). It is in training mode again afterwards."""
    network.eval()
    predicted = torch.cat([network(part).argmax(1) for part in x_NCHW.split(TEST_BATCH)])
    network.train()
    return (predicted == y).numpy()
