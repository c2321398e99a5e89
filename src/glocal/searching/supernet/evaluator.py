"""How accurate a path of a supernet is on held-out pictures, with the supernet's weights and its own batch-norm statistics."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glocal.data import Preprocess, Split
from glocal.design import Architecture
from glocal.design.space import Answers
from glocal.errors import ArchitectureError, SearchError
from glocal.families import described
from glocal.files import read_yaml
from glocal.machine.device import keep_memory
from glocal.searching.candidates.candidate import Evaluated
from glocal.searching.search_data import CachedSplit
from glocal.searching.supernet.supernet import Sharing, Supernet
from glocal.weights.files import read

BATCH = 250


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces the running statistics of batch norms by their mean over the batches.

    A supernet's own statistics are those of a mixture of paths. Nothing else of the network changes, not even the modes of its
    layers.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches
        norm.train()
    for x in batches:
        network(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in modes.items():
        module.training = mode


@dataclass(frozen=True, eq=False)
class PathEvaluator:
    """Evaluates paths of a supernet. The result for a path does not depend on the paths evaluated before it."""

    supernet: Supernet
    val: CachedSplit
    calibration: CachedSplit
    amp: bool = False

    def network(self, answers: Answers) -> nn.Module:
        """A path as a network of its own, recalibrated, in evaluation mode."""
        network = self.supernet.network(answers).eval()
        normalise = self.calibration.preprocess.normalise
        with torch.autocast(self.val.labels.device.type, torch.bfloat16, enabled=self.amp):
            recalibrate(network, (normalise(x) for x, _ in self.calibration.batches(BATCH)))
        return network

    @torch.inference_mode()
    def logits(self, answers: Answers) -> Tensor:
        """(N, classes) float32 on the CPU, for the held-out pictures in their order."""
        network, normalise = self.network(answers), self.val.preprocess.normalise
        with torch.autocast(self.val.labels.device.type, torch.bfloat16, enabled=self.amp):
            return torch.cat([network(normalise(x)).float().cpu() for x, _ in self.val.batches(BATCH)])

    def __call__(self, answers: Answers) -> Evaluated:
        """The accuracy of a path."""
        predicted, labels = self.logits(answers).argmax(1), self.val.labels.cpu()
        several = labels.ndim == 2  # the predicted label must be one of the picture's
        correct = labels.gather(1, predicted[:, None])[:, 0] > 0 if several else predicted == labels
        return Evaluated(correct.double().mean().item(), len(labels))


@dataclass(frozen=True, eq=False)
class SupernetEvaluation:
    """What a worker needs to evaluate the candidates of a level. It can be sent to other processes and machines.

    threads: of torch, for one candidate. Sums are split among threads, so that their number touches the last bits.
    """

    level: Path  # its folder, which holds space.yaml and supernet.safetensors
    sharing: Sharing
    val: Split
    calibration: Split
    preprocess: Preprocess
    device: str
    amp: bool = False
    threads: int = 1

    def evaluator(self) -> PathEvaluator:
        """Loads the supernet and the pictures."""
        torch.set_num_threads(self.threads)
        device = torch.device(self.device)
        keep_memory(device)
        supernet = load_supernet(self.level, sharing=self.sharing).to(device)
        val, calibration = (CachedSplit.of(s, self.preprocess, device=device) for s in (self.val, self.calibration))
        return PathEvaluator(supernet, val, calibration, self.amp)


def load_space(level: Path) -> Architecture:
    """The space of a level. SearchError where its file describes none."""
    path = level / "space.yaml"
    try:
        return described(read_yaml(path), str(path))
    except ArchitectureError as error:
        raise SearchError(f"{path} cannot be read: {error}") from None


def load_supernet(level: Path, *, sharing: Sharing) -> Supernet:
    """The trained supernet of a level. WeightError where its file is damaged, SearchError where it is of another space."""
    supernet, path = Supernet(load_space(level), sharing=sharing), level / "supernet.safetensors"
    try:
        supernet.load_state_dict(read(path).tensors)
    except RuntimeError as error:  # keys or shapes
        raise SearchError(f"{path} holds no supernet of this space: {str(error).splitlines()[-1].strip()}") from None
    return supernet
