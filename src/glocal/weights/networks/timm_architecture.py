"""A network of timm as data: its name in timm, and what its constructor is called with. No layer is made here."""

import inspect
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from glocal.design import Grid
from glocal.errors import ArchitectureError

PREFIX = "timm:"
KEY = "TimmArchitecture"  # of its plain data, where an architecture of ours has "Architecture"
Setting = bool | int | float | str

_TEXT = re.compile(r"timm:(?P<model>[\w.-]+)(?:\[(?P<settings>[^\]]*)\])?(?:@(?P<file>.+))?")
_HOW = "write timm:NAME, timm:NAME@FILE, or timm:CLASS[NAME=VALUE,...] for a class of timm.models"
IMAGE = Grid(3, 224, 224)
_MOST = 10_000  # blocks, channels or pixels: more is a mistake, or a damaged file
_OURS = {
    "num_classes": "the pictures decide the classes",
    "in_chans": "mean and std of the recipe decide the channels",
    "drop_path_rate": "drop_path of the recipe is it",
    "pretrained": "weights come from a file: timm:NAME@FILE",
    "checkpoint_path": "weights come from a file: timm:NAME@FILE",
}
_NOT_OURS = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "features_only", "scriptable", "device", "dtype")


@dataclass(frozen=True)
class TimmArchitecture:
    """What `timm.create_model` is called with, or a class of `timm.models` whose named networks have other sizes.

    model: a name that timm lists, with or without the tag of its weights, or such a class. settings: further arguments of the
    constructor, by name. It is no member of the design space: it has no words and ops.
    """

    model: str
    settings: tuple[tuple[str, Setting], ...] = ()
    image: Grid = IMAGE
    classes: int = 1000
    drop_path: float = 0.0

    @classmethod
    def read(cls, text: str) -> "TimmArchitecture":
        """The network of a text such as `timm:mobilenetv2_050` or `timm:MlpMixer[num_blocks=5,embed_dim=96]`, at timm's picture
        size unless img_size is among the arguments. What follows an @ is not read. ArchitectureError for any other text."""
        if (found := _TEXT.fullmatch(text)) is None:
            raise ArchitectureError(f"{text!r} names no network of timm; {_HOW}")
        settings = {}
        for item in filter(None, (found["settings"] or "").split(",")):
            name, is_given, value = (part.strip() for part in item.partition("="))
            if not is_given or not name.isidentifier() or not value:
                raise ArchitectureError(f"{text}: {item.strip()!r} is no argument; {_HOW}")
            settings[name] = _value(value)
        size = settings.pop("img_size", None)
        image, classes = timm_defaults(found["model"])
        plain = cls(found["model"], tuple(sorted(settings.items())), image, classes)
        plain.check()
        return plain if size is None else plain.adapted(size=_side(size, text))

    @property
    def name(self) -> str:
        """The text that `read` understands, without the picture size."""
        settings = ",".join(f"{name}={_text(value)}" for name, value in self.settings)
        return f"{PREFIX}{self.model}" + (f"[{settings}]" if settings else "")

    @property
    def base(self) -> str:
        """timm's name without the tag of its weights."""
        return self.model.partition(".")[0]

    def check(self) -> None:
        """ArchitectureError for arguments that cannot be set here, or cannot be meant."""
        for name, value in self.settings:
            if name in _OURS:
                raise ArchitectureError(f"{self.name}: {name} cannot be set; {_OURS[name]}")
            if name in _NOT_OURS:
                raise ArchitectureError(f"{self.name}: {name} cannot be set here")
            if not isinstance(value, str) and not abs(value) <= _MOST:
                raise ArchitectureError(f"{self.name}: {name} is {value}; at most {_MOST:,} is possible")
        if not (1 <= self.image.c <= _MOST and 1 <= self.image.h <= _MOST and 1 <= self.image.w <= _MOST):
            raise ArchitectureError(f"{self.name}: pictures of {self.image} are not possible")
        if not 0 <= self.classes <= 10**6:
            raise ArchitectureError(f"{self.name}: num_classes is {self.classes}; give 0 (no classifier) or more")
        if not 0 <= self.drop_path < 1:
            raise ArchitectureError(f"{self.name}: drop_path is {self.drop_path}; give a rate in [0, 1)")

    def adapted(
        self,
        *,
        classes: int | None = None,
        channels: int | None = None,
        size: int | tuple[int, int] | None = None,
        drop_path: float | None = None,
    ) -> "TimmArchitecture":
        """The same network for another number of classes (0: no classifier), channels, picture size or stochastic depth.

        Whether timm can build it and it reads that size is known when its cost is counted.
        """
        h, w = (size, size) if isinstance(size, int) else size or (self.image.h, self.image.w)
        found = replace(
            self,
            image=Grid(channels or self.image.c, h, w),
            classes=self.classes if classes is None else classes,
            drop_path=self.drop_path if drop_path is None else drop_path,
        )
        found.check()
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `from_json` makes it again."""
        fields = {"model": self.model, "settings": dict(self.settings), "image": list(self.image)}
        return {KEY: {**fields, "classes": self.classes, "drop_path": self.drop_path}}

    @classmethod
    def from_json(cls, data: Any) -> "TimmArchitecture":
        """The inverse of `to_json`; ArchitectureError for other data, and for a network that this timm does not list."""
        try:
            ((key, fields),) = data.items()
            settings = tuple((str(name), _checked(value)) for name, value in sorted(fields["settings"].items()))
            image = Grid(*map(_whole, fields["image"]))
            classes, drop_path = _whole(fields["classes"]), float(fields["drop_path"])
            found = cls(str(fields["model"]), settings, image, classes, drop_path)
            if key != KEY or len(fields) != len(cls.__dataclass_fields__):
                raise ValueError("other fields")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArchitectureError(f"this describes no network of timm: {type(error).__name__}: {error}") from None
        timm_defaults(found.model)
        found.check()
        return found


def is_timm(text: str) -> bool:
    """Whether a text means a network of timm: `timm:NAME`, with or without a file."""
    return text.startswith(PREFIX)


def weights_file(source: str | Path) -> Path | None:
    """The file of `timm:NAME@FILE`; None for any other source of weights."""
    found = _TEXT.fullmatch(str(source))
    return Path(found["file"]) if found and found["file"] else None


def without_file(text: str) -> str:
    """`timm:NAME` of `timm:NAME@FILE`."""
    found = _TEXT.fullmatch(text)
    return text.removesuffix(f"@{found['file']}") if found and found["file"] else text


def timm_defaults(model: str) -> tuple[Grid, int]:
    """The picture and the classes that timm builds a network for; ArchitectureError where timm does not list it."""
    if (cls := timm_class(model)) is not None:
        side = _default(cls, "img_size", 224)
        h, w = (side, side) if isinstance(side, int) else side
        return Grid(3, h, w), _default(cls, "num_classes", 1000)
    config = timm_config(model)
    return Grid(*config.input_size), config.num_classes


def timm_config(model: str) -> Any:
    """timm's PretrainedCfg of a listed network; ArchitectureError where timm does not list it."""
    import timm

    base = model.partition(".")[0]
    if not timm.is_model(base) or base.startswith("glocal_"):
        near = get_close_matches(base, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists its networks"
        raise ArchitectureError(f"{PREFIX}{model}: timm {timm.__version__} has no network of this name; {hint}")
    try:
        config = timm.get_pretrained_cfg(model)
    except RuntimeError as error:
        raise ArchitectureError(f"{PREFIX}{model}: {error}") from None
    return config or timm.models.PretrainedCfg(num_classes=1000)


def timm_class(model: str) -> type | None:
    """A class of `timm.models` that is a whole network; None where the name means none."""
    import timm.models

    cls = getattr(timm.models, model, None)
    network = isinstance(cls, type) and cls.__module__.startswith("timm.models.")
    return cls if network and hasattr(cls, "forward_features") and hasattr(cls, "reset_classifier") else None


def _default(cls: type, name: str, otherwise: Any) -> Any:
    parameter = inspect.signature(cls).parameters.get(name)
    return otherwise if parameter is None or parameter.default in (None, parameter.empty) else parameter.default


def _value(text: str) -> Setting:
    if text in ("true", "True", "false", "False"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _side(value: Setting, text: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArchitectureError(f"{text}: img_size is one side in pixels, such as img_size=32")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _checked(value: Any) -> Setting:
    if not isinstance(value, bool | int | float | str):
        raise TypeError(f"{value!r} is no number and no text")
    return value
