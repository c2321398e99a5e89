"""The networks that a pick begins with: our families at the sizes that suit the pictures, and those that the user names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from glocal.comparing.scaling import scaled
from glocal.comparing.study import SMALLER, Scale
from glocal.comparing.tables import get_study
from glocal.design import Architecture, Cost, adapt, cost
from glocal.errors import ComparisonError, GlocalError
from glocal.families import architecture, list_models

SMALL_PICTURES = (
    64  # pixels of the longer side: up to here the networks are those that the scaling rule makes for 32 pixels
)

# A few sizes of each family, and hybrids of convolution and attention (the study glocal.hybrids).
SMALL_NETWORKS = (
    "airbench_32_128_256@tiny", "cct_2_3x2_32@tiny", "cct_7_3x2_32@tiny", "cct_7_7x2_224@tiny", "coatnet_0@tiny",
    "convmixer_1024_20@tiny", "convnext_atto@tiny", "convnext_atto@cifar", "convnext_nano@tiny", "convnext_tiny@tiny",
    "cvt_2_4_32@tiny", "cvt_7_4_32@tiny", "deit_tiny@tiny", "glit_mix_1_2@tiny", "glit_tiny@tiny", "hybrid_25@tiny",
    "hybrid_50@tiny", "hybrid_75@tiny", "mobilenetv4_conv_small@tiny", "mobilenetv4_conv_small@cifar",
    "poolformer_s12@tiny", "poolformer_s24@tiny", "resnet50@tiny", "swin_tiny@tiny", "vit_lite_2_4_32@tiny",
    "vit_lite_6_4_32@tiny",
)  # fmt: skip
LARGE_NETWORKS = (
    "cct_7_7x2_224", "coatnet_0", "convmixer_1024_20", "convnext_atto", "convnext_femto", "convnext_nano",
    "convnext_tiny", "deit_small", "deit_tiny", "glit_tiny", "hybrid_25", "hybrid_50", "hybrid_75",
    "mobilenetv4_conv_small", "poolformer_s12", "poolformer_s24", "resnet50", "swin_tiny",
)  # fmt: skip
WEIGHTS = (".safetensors", ".pth", ".pt", ".bin")
_HYBRIDS = {f"hybrid_{share}": f"{share} % convolution" for share in (0, 25, 50, 75, 100)}


@dataclass(frozen=True)
class Candidate:
    """A network that may be picked. `architecture` has the classes and the picture size that it would be trained with.

    weights: the file that its training starts from; None for a training from scratch.
    """

    name: str
    architecture: Architecture
    weights: Path | None = None

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of one picture, exactly."""
        return cost(self.architecture)


@dataclass(frozen=True)
class Refused:
    """A candidate that does not race, and why, with the number that decided."""

    name: str
    reason: str


def names_for(wanted: str | None, typical_size: tuple[int, int]) -> tuple[str, ...]:
    """The names of the candidates: by default those that suit the size of the pictures, else those that match `wanted`.

    wanted: names and wildcards with commas between them, such as 'convnext_*@tiny,cct*'. A name, or the path of an
    architecture.yaml, is that network; `NAME@tiny` is it at a smaller scale. A wildcard without a scale is matched with the
    default candidates, and where none matches with all of `glocal models`. GlocalError for what matches nothing.
    """
    small = max(typical_size) <= SMALL_PICTURES
    default = SMALL_NETWORKS if small else LARGE_NETWORKS
    if wanted is None:
        return default
    found: dict[str, None] = {}
    for pattern in filter(None, map(str.strip, wanted.split(","))):
        found |= dict.fromkeys(_matching(pattern, default, scale="tiny" if small else "paper"))
    if not found:
        raise ComparisonError(f"--candidates {wanted!r} names no network; `glocal models` lists them")
    return tuple(found)


def _matching(pattern: str, default: Sequence[str], *, scale: Scale) -> Iterable[str]:
    base, _, at = pattern.partition("@")
    if not set(base) & set("*?["):
        _network(base, at or "paper")  # an unknown name is answered with similar ones
        return (pattern,)
    if matches := [name for name in default if fnmatchcase(name, pattern) or fnmatchcase(name, f"{base}@*")]:
        return matches
    names = [name for name in (*list_models(), *_HYBRIDS) if fnmatchcase(name, base)]
    if not names:
        raise ComparisonError(f"--candidates: nothing is called {base!r}; `glocal models {base[:3]}*` lists what is")
    chosen = at or scale
    return [name if chosen == "paper" else f"{name}@{chosen}" for name in names]


def build(name: str, *, classes: int, channels: int, size: int | tuple[int, int] | None) -> Candidate:
    """A candidate by its name, NAME or NAME@SCALE; GlocalError, with the reason, where it cannot have these pictures.

    This is the one place where a name becomes a network: names of other sources, such as timm, are to be read here.
    """
    base, _, scale = name.partition("@")
    arch = _network(base, scale or "paper")
    arch = adapt(arch, classes=classes, channels=channels, size=size, drop_path=0.0, attention_dropout=0.0)
    cost(arch)  # finds blocks that do not fit the size
    return Candidate(name, replace(arch, name=name))


def _network(base: str, scale: str) -> Architecture:
    if scale not in ("paper", *SMALLER):
        raise ComparisonError(f"{base}@{scale}: the scales are paper, {', '.join(SMALLER)}")
    if base in _HYBRIDS:
        arm = get_study("glocal.hybrids").arm(_HYBRIDS[base])
        model = arm.at.get(scale, arm.model)
        assert isinstance(model, Architecture)
        return model
    return scaled(architecture(base), scale)


def build_all(
    names: Sequence[str], *, classes: int, channels: int, size: int | tuple[int, int] | None
) -> tuple[tuple[Candidate, ...], tuple[Refused, ...]]:
    """The candidates that can be built for the pictures, and those that cannot."""
    built, refused = [], []
    for name in names:
        try:
            built.append(build(name, classes=classes, channels=channels, size=size))
        except GlocalError as error:
            refused.append(Refused(name, f"cannot be built for these pictures: {error}"))
    return tuple(built), tuple(refused)


def with_weights(candidates: Sequence[Candidate], folder: Path) -> tuple[Candidate, ...]:
    """The candidates with the files of a folder that bear their names; ComparisonError where no file bears any."""
    if not folder.is_dir():
        raise ComparisonError(f"--weights-dir {folder}: there is no such folder")
    files = {path.stem: path.resolve() for path in sorted(folder.iterdir()) if path.suffix in WEIGHTS}
    found = tuple(replace(each, weights=files.get(each.name)) for each in candidates)
    if not any(each.weights for each in found):
        names = ", ".join(each.name for each in candidates[:3])
        raise ComparisonError(
            f"--weights-dir {folder}: no file is named after a candidate, such as {names}, with the suffix {' or '.join(WEIGHTS)}"
        )
    return found
