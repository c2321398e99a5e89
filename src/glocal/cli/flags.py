"""Command-line flags made from the fields of typed settings: name, type, help, default and panel."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from glocal.cli.options import assignments
from glocal.settings import flag_name, flags

METAVARS = {int: "INTEGER", float: "FLOAT"}


def from_settings(
    parameter: str, model: type[BaseModel], *, panel: str | None = None, with_set: str = ""
) -> Callable[..., Any]:
    """A decorator of a verb: its parameter of that name becomes a flag for each field of `model` that has one.

    The verb receives a dictionary of the flags that were typed, by the names of the fields. Panels that `Flag` does not name are
    `panel`. with_set: the help of `--set NAME=VALUE`, which reaches the fields without a flag; without it there is no --set.
    """
    of_flag = {f"{parameter}_{name}": name for name in flags(model)}
    set_key = f"{parameter}_set"

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(verb, eval_str=True)

        @wraps(verb)
        def with_settings(**typed: Any) -> Any:
            flagged = {name: typed.pop(key) for key, name in of_flag.items()}
            values = {name: value for name, value in flagged.items() if value not in (None, False)}
            if with_set:
                values |= assignments(typed.pop(set_key) or [])
            return verb(**typed, **{parameter: values})

        parameters = []
        for known in signature.parameters.values():
            if known.name == parameter:
                parameters += [_option(key, model, name, panel) for key, name in of_flag.items()]
                parameters += [_set_option(set_key, with_set, panel)] if with_set else []
            else:
                parameters.append(known.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        with_settings.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_settings.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_settings

    return decorate


def _option(key: str, model: type[BaseModel], name: str, panel: str | None) -> inspect.Parameter:
    field, flag = model.model_fields[name], flags(model)[name]
    kind, choices = _kind(field.annotation), _choices(field.annotation)
    shown = field.get_default(call_default_factory=True)
    default = f" [default: {shown}]" if shown not in (None, "", False) else ""
    option = typer.Option(
        flag_name(model, name),
        help=flag.help + default,
        rich_help_panel=flag.panel or panel,
        envvar=flag.env,
        metavar=None if choices or kind is bool else METAVARS.get(kind, "TEXT"),
    )
    typed: Any = Literal[choices] if choices else bool if kind is bool else str
    # None stands for a flag that was not typed, so that run.yaml can say where each value came from.
    annotation = Annotated[typed, option] if kind is bool else Annotated[typed | None, option]
    empty = False if kind is bool else None
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=empty)


def _set_option(key: str, help_text: str, panel: str | None) -> inspect.Parameter:
    annotation = Annotated[list[str] | None, typer.Option("--set", help=help_text, rich_help_panel=panel)]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)


def _kind(annotation: Any) -> Any:
    """The type that --help shows for a value: the only one besides None, or str."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [_kind(part) for part in get_args(annotation) if part is not NoneType]
        return kinds[0] if len(kinds) == 1 else str
    return annotation if isinstance(annotation, type) else str


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, alone or with None; none for other types."""
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        return _choices(parts[0]) if len(parts) == 1 else ()
    return ()


def typed_flags(model: type[BaseModel], given: Mapping[str, Any]) -> list[tuple[str, str] | tuple[str]]:
    """The flags that give the same settings again, for `command_line.command`."""
    return [
        (flag_name(model, name),) if value is True else (flag_name(model, name), str(value))
        for name, value in given.items()
    ]
