"""How good a path of a supernet is: its weights, with batch-norm statistics of its own, on held-out training pictures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glocal.data import Preprocess, Split
from glocal.design import Architecture, load
from glocal.design.space import Answers
from glocal.families import vocabulary
from glocal.searching.pictures import Resident
from glocal.searching.supernet import Sharing, Supernet
from glocal.searching.workers import Evaluated
from glocal.training.folder import read_yaml
from glocal.weights.files import read

BATCH = 250


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Takes the running statistics of batch norms anew: the mean over the batches, whatever they were before.

    A supernet's own are those of a mixture of paths. Nothing else of the network changes, the modes of its layers included.
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
class Judge:
    """Answers for the paths of a supernet, each as it would if no other had been asked."""

    supernet: Supernet
    val: Resident
    calibration: Resident
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
        """Its accuracy."""
        said, truth = self.logits(answers), self.val.labels.cpu()
        right = said.argmax(1)
        hit = truth.gather(1, right[:, None])[:, 0] > 0 if truth.ndim == 2 else right == truth
        return Evaluated(hit.double().mean().item(), len(truth))


@dataclass(frozen=True, eq=False)
class Judging:
    """What a worker needs to judge the candidates of a level; it may be sent to other processes and machines.

    threads: that one candidate is computed with. Sums are split among them, so their number touches the last bits.
    """

    level: Path  # its folder, which holds space.yaml and supernet.safetensors
    sharing: Sharing
    val: Split
    calibration: Split
    preprocess: Preprocess
    device: str
    amp: bool = False
    threads: int = 1

    def evaluator(self) -> Callable[[Answers], Evaluated]:
        """The judge of the level's supernet."""
        torch.set_num_threads(self.threads)
        device = torch.device(self.device)
        supernet = load_supernet(self.level, sharing=self.sharing).to(device)
        val, calibration = (Resident.of(s, self.preprocess, device=device) for s in (self.val, self.calibration))
        return Judge(supernet, val, calibration, self.amp)


def load_space(level: Path) -> Architecture:
    """The space of a level."""
    return load(read_yaml(level / "space.yaml"), vocabulary())


def load_supernet(level: Path, *, sharing: Sharing) -> Supernet:
    """The trained supernet of a level."""
    supernet = Supernet(load_space(level), sharing=sharing)
    supernet.load_state_dict(read(level / "supernet.safetensors").tensors)
    return supernet
