"""What huggingface_hub's mixin needs to save a network in a folder, to read it from one and to push it to the hub.

The mixin's own PyTorch form keeps the arguments of `__init__` as the network's description. Ours is the architecture as data,
which changes with the classifier; so it is written when the network is saved.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelCard, ModelHubMixin, hf_hub_download
from torch import nn

from glocal.design import Architecture, dump
from glocal.design.text import Plain
from glocal.errors import WeightError
from glocal.files import write_whole
from glocal.net.card import card
from glocal.net.saving.model_card import Result, model_card
from glocal.net.saving.tensor_files import read_model, write_safetensors

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@dataclass(frozen=True)
class Description:
    """What stands beside the tensors in a file of weights: `labels` of the classes in the order of the logits, how pictures
    are prepared, whether each logit stands for itself, and the temperature that logits are divided by for probabilities."""

    labels: tuple[str, ...] = ()
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    multi_label: bool = False
    temperature: float = 1.0

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Self:
        """What a file says that was read."""
        several, temperature = meta.get("multi_label", False), meta.get("temperature", 1.0)
        return cls(tuple(meta["classes"]), meta["preprocess"], several, temperature)

    def beside(self, architecture: Plain, *, notes: Mapping[str, Any]) -> dict[str, Any]:
        """What to write into a file of the weights of a network, whose architecture is given as plain data."""
        return {
            "architecture": architecture,
            "classes": list(self.labels),
            "preprocess": dict(self.preprocess),
            "multi_label": self.multi_label,
            "temperature": self.temperature,
            "notes": dict(notes),
        }


class OnTheHub(nn.Module, ModelHubMixin):
    """A network that describes itself: `save_pretrained`, `from_pretrained` and `push_to_hub` of huggingface_hub's mixin.

    `description` is what the file of its weights says of it, which travels with the network.
    """

    _hub_mixin_config: dict[str, Any] = {}  # not None: the mixin keeps no arguments of __init__  # noqa: RUF012

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch
        self.description = Description()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes in the order of the logits, where they are known."""
        return self.description.labels

    @property
    def preprocess(self) -> Mapping[str, Any]:
        """How pictures are prepared, where it is known."""
        return self.description.preprocess

    def _save_pretrained(self, save_directory: Path) -> None:
        meta = self.description.beside(dump(self.arch), notes={})
        write_safetensors(save_directory / WEIGHTS, self.state_dict(), meta=meta)
        write_whole(save_directory / CONFIG, json.dumps(config(self), indent=2, ensure_ascii=False).encode())

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> Self:
        if model_kwargs:
            name = next(iter(model_kwargs))
            raise WeightError(f"from_pretrained takes no {name}; create_model('hf:{model_id}', ...) changes a network")
        path = Path(model_id) / WEIGHTS
        if not Path(model_id).is_dir():
            fetched = hf_hub_download(
                model_id,
                WEIGHTS,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
            )
            path = Path(fetched)
        network, meta = read_model(path, cls)
        network.description = Description.of(meta)
        return network.eval()

    def generate_model_card(
        self,
        *,
        repo_id: str | None = None,
        licence: str | None = None,
        results: Sequence[Result] = (),
    ) -> ModelCard:
        """The page of `model_card`; its arguments are the mixin's `model_card_kwargs`."""
        page = model_card(
            self.arch,
            labels=self.labels,
            preprocess=self.preprocess,
            multi_label=self.description.multi_label,
            repo_id=repo_id,
            licence=licence,
            results=results,
        )
        return ModelCard(page)


def config(network: OnTheHub) -> dict[str, Any]:
    """What config.json says. It is for people and other tools; glocal reads the same from model.safetensors."""
    told = card(network.arch, preprocess=network.preprocess)
    return {
        "library_name": "glocal",
        "architecture": network.arch.name,
        "design": dump(network.arch),
        "num_classes": told["num_classes"],
        "label_names": list(network.labels),
        "id2label": {str(i): name for i, name in enumerate(network.labels)},
        "multi_label": network.description.multi_label,
        "temperature": network.description.temperature,
        "preprocess": dict(network.preprocess),
        "pretrained_cfg": told,
    }
