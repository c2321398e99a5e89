"""Studies as text: a dozen lines of YAML that a user writes, and the same plain data from a study. docs/studies.md shows one."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

from glocal.comparing.corruptions import CORRUPTIONS, SEVERITIES
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.study import Arm, Comparisons, Evaluation, Pretraining, Scale, Study
from glocal.comparing.study_text.readers import (
    Read,
    anything,
    checked,
    count,
    mapping,
    near,
    number,
    one_of,
    optional,
    settings,
    short,
    text,
)
from glocal.comparing.study_text.yaml_file import read_mapping
from glocal.design import Architecture, dump, load
from glocal.errors import ComparisonError, GlocalError
from glocal.families import architecture, vocabulary
from glocal.recipes import recipe as named_recipe
from glocal.recipes.schema import Recipe
from glocal.weights import find_architecture, find_weights
from glocal.weights.networks.timm_architecture import is_timm, weights_file, without_file


def load_study(path: str | Path) -> Study:
    """The study in a YAML file. ComparisonError names the file, the arm and the field that is wrong, and what is possible."""
    path = Path(path)
    return study_from(read_mapping(path), where=str(path), folder=path.parent, name=path.stem)


def study_from(data: Mapping[str, Any], *, where: str, folder: Path = Path(), name: str = "") -> Study:
    """The study of plain data: the inverse of `dump_study`.

    where: what errors call it. folder: what the paths of architectures are relative to. name: of a study that names itself not.
    """
    checked(data, where, required=("arms",), optional=_STUDY)
    arms = _arms(data["arms"], where=where, folder=folder)
    values: dict[str, Any] = {"name": name, "question": f"Which is best: {', '.join(arm.name for arm in arms)}?"}
    values |= {"baseline": arms[0].name if arms else ""}
    values |= {key: _STUDY[key](value, f"{where}, {key}") for key, value in data.items() if key != "arms"}
    try:
        study = Study(**values, arms=arms)
        base = named_recipe(study.recipe).merged(study.settings)
    except GlocalError as error:
        raise ComparisonError(f"{where}: {error}") from None
    for arm in arms:
        _check_settings(base, arm, where=f"{where}, arm {arm.name}")
    return study


def dump_study(study: Study) -> dict[str, Any]:
    """Plain data from which `study_from` makes the study again; what has its default is left out."""
    data = {name: value for name, value in _changed(study) if name != "arms"}
    if "margin" in data:
        data["margin"] = round(100 * study.margin, 10)
    if "looks" in data:
        data["looks"] = {"at": list(study.looks.at), "level": study.looks.level}
    return {name: _plain(value) for name, value in data.items()} | {
        "arms": {arm.name: _dump_arm(arm) for arm in study.arms}
    }


def _dump_arm(arm: Arm) -> Any:
    data = {name: value for name, value in _changed(arm) if name != "name"}
    data["model"] = _dump_model(arm.model)
    if arm.at:
        data["at"] = {scale: _dump_model(model) for scale, model in arm.at.items()}
    if "evaluation" in data:
        data["evaluation"] = dict(_changed(arm.evaluation))
    if arm.pretraining is not None:
        data["pretraining"] = {"settings": arm.pretraining.settings} if arm.pretraining.settings else True
    return data["model"] if set(data) == {"model"} else _plain(data)


def _dump_model(model: str | Architecture) -> Any:
    return model if isinstance(model, str) else dump(model)


def _changed(x: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass that differ from their defaults, or have none."""
    for field in fields(x):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if default is MISSING or getattr(x, field.name) != default:
            yield field.name, getattr(x, field.name)


def _plain(x: Any) -> Any:
    """Mappings and sequences as dicts and lists."""
    if isinstance(x, Mapping):
        return {key: _plain(value) for key, value in x.items()}
    return [*map(_plain, x)] if isinstance(x, tuple | list) else x


# ----------------------------------------------------------------------------------------------- arms


def _arms(data: Any, *, where: str, folder: Path) -> tuple[Arm, ...]:
    if not isinstance(data, dict):
        raise ComparisonError(
            f"{where}, arms: give each arm as a line, such as `small: cct_2_3x2_32`, not {short(data)}"
        )
    return tuple(_arm(name, value, where=where, folder=folder) for name, value in data.items())


def _arm(name: Any, data: Any, *, where: str, folder: Path) -> Arm:
    name = text(name, f"{where}, an arm's name")
    where = f"{where}, arm {name}"
    if isinstance(data, str) or (isinstance(data, dict) and set(data) == {"Architecture"}):
        data = {"model": data}
    checked(data, where, required=("model",), optional=_ARM)
    values = {key: _ARM[key](value, f"{where}, {key}") for key, value in data.items() if key not in ("model", "at")}
    at: dict[Scale, str | Architecture] = {}
    for scale, model in mapping(data.get("at", {}), f"{where}, at").items():
        if scale not in get_args(Scale):
            raise ComparisonError(f"{where}, at: {short(scale)} is no scale; {near(scale, get_args(Scale))}")
        at[scale] = _model(model, f"{where}, at {scale}", folder=folder)  # type: ignore[index]
    return Arm(name, _model(data["model"], f"{where}, model", folder=folder), at=at, **values)


def _model(data: Any, where: str, *, folder: Path) -> str | Architecture:
    """A name or path, checked to be known, or an architecture that is spelled out."""
    try:
        if not isinstance(data, str):
            arch = load(mapping(data, where), vocabulary(), where)
            if not isinstance(arch, Architecture):
                raise ComparisonError(
                    f"{where}: give a name of `glocal models`, an architecture.yaml, or an Architecture"
                )
            return arch
        if is_timm(data):
            return _of_timm(data, folder=folder)
        if data.endswith((".yaml", ".yml")) and (folder / data).is_file():
            data = str((folder / data).resolve())
        architecture(data)
    except ComparisonError:
        raise
    except (GlocalError, ValueError, TypeError, RecursionError) as error:
        raise ComparisonError(f"{where}: {error}") from None
    return str(data)


def _of_timm(text: str, *, folder: Path) -> str:
    """`timm:NAME` as it is; in `timm:NAME@FILE` the file beside the study's, where it lies there."""
    find_architecture(text)
    file = weights_file(text)
    if file is None:
        return text
    if (folder / file).is_file():
        return f"{without_file(text)}@{(folder / file).resolve()}"
    find_weights(text)
    return text


def _check_settings(base: Recipe, arm: Arm, *, where: str) -> None:
    stages = {"settings": arm.settings}
    if arm.pretraining is not None:
        stages["pretraining"] = {**arm.settings, **arm.pretraining.settings}
    for field, changes in stages.items():
        try:
            base.merged(changes)
        except GlocalError as error:
            raise ComparisonError(f"{where}, {field}: {error}") from None


# ----------------------------------------------------------------------------------------------- fields


def _evaluation(value: Any, where: str) -> Evaluation:
    checked(value, where, required=(), optional=_EVALUATION)
    return Evaluation(**{key: _EVALUATION[key](item, f"{where}, {key}") for key, item in value.items()})


def _pretraining(value: Any, where: str) -> Pretraining | None:
    if value is None or isinstance(value, bool):
        return Pretraining() if value else None
    checked(value, where, required=(), optional={"settings": settings})
    return Pretraining(settings(value.get("settings", {}), f"{where}, settings"))


def _margin(value: Any, where: str) -> float:
    """Points of accuracy as a fraction, rounded so that 0.45 points are 0.0045."""
    return round(number(0, 99.99)(value, where) / 100, 12)


def _looks(value: Any, where: str) -> Looks:
    data = {"at": value} if isinstance(value, list) else value
    checked(data, where, required=(), optional={"at": None, "level": None})
    at, level = data.get("at", list(Looks().at)), number(0, 1)(data.get("level", Looks().level), f"{where}, level")
    if not isinstance(at, list):
        raise ComparisonError(f"{where}, at: {short(at)} is no list of seeds, such as [3, 5, 8, 12]")
    try:
        return Looks(tuple(count(2, 10_000)(seeds, f"{where}, at") for seeds in at), level)
    except ComparisonError as error:
        raise ComparisonError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None


_EVALUATION: dict[str, Read[Any]] = {
    "img_size": optional(count(1, 10_000)),
    "corruption": optional(one_of(*CORRUPTIONS)),
    "severity": one_of(*SEVERITIES),
}
_ARM: dict[str, Read[Any]] = {
    "settings": settings,
    "at": mapping,
    "printed": optional(number(0, 100)),
    "baseline": anything,
    "per_class": optional(count(1)),
    "share": number(1e-9, 1),
    "length": number(1e-6, 1e6),
    "evaluation": _evaluation,
    "pretraining": _pretraining,
    "note": anything,
}
_STUDY: dict[str, Read[Any]] = {
    "name": text,
    "question": text,
    "baseline": text,
    "hypothesis": anything,
    "source": anything,
    "comparisons": one_of(*get_args(Comparisons)),
    "recipe": text,
    "settings": settings,
    "margin": _margin,
    "looks": _looks,
    "keeps": anything,
    "changes": anything,
}
