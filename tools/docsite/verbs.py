"""Reference pages of the command line, made from the verbs' own signatures: one page a verb, and a list of them."""

import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo

from docsite.markdown import cell, code, docstring, table
from docsite.types import type_name, value
from glocal.cli.app import SYNONYMS, VERBS
from glocal.cli.verbosity import with_verbosity

OPTIONS = "Options"
METAVARS = {"INTEGER": "integer", "FLOAT": "number"}
"""Flags made from settings hold text until the setting reads it; their metavar says the type."""


@dataclass(frozen=True)
class Parameter:
    """An argument or a flag of a verb."""

    names: tuple[str, ...]
    kind: str
    default: str
    help: str
    panel: str
    required: bool
    environment: str = ""

    @property
    def is_flag(self) -> bool:
        """Whether it has dashes, rather than a place in the line."""
        return self.names[0].startswith("-")


def function(verb: str) -> Any:
    """The function of a verb."""
    module, _, name = VERBS[verb].partition(":")
    return with_verbosity(getattr(import_module(module), name))


def parameters(verb: str) -> list[Parameter]:
    """Everything that can be typed behind a verb, in the order of its help."""
    return list(_parameters(inspect.signature(function(verb), eval_str=True)))


def _parameters(signature: inspect.Signature) -> Iterator[Parameter]:
    for parameter in signature.parameters.values():
        assert get_origin(parameter.annotation) is Annotated, parameter
        annotation, *metadata = get_args(parameter.annotation)
        info = next(part for part in metadata if isinstance(part, ArgumentInfo | OptionInfo))
        required = parameter.default is inspect.Parameter.empty
        text, stated = _stated_default(info.help or "")
        yield Parameter(
            names=_names(parameter.name, info),
            kind="" if annotation is bool else METAVARS.get(info.metavar or "", type_name(annotation)),
            default=stated or ("" if required or not info.show_default else value(parameter.default)),
            help=text,
            panel=info.rich_help_panel or OPTIONS,
            required=required,
            environment=str(info.envvar or ""),
        )


def _names(name: str, info: ArgumentInfo | OptionInfo) -> tuple[str, ...]:
    if isinstance(info, ArgumentInfo):
        return (str(info.metavar or name.upper()),)
    written = tuple(d for d in (info.default, *(info.param_decls or ())) if isinstance(d, str) and d.startswith("-"))
    return written or ("--" + name.replace("_", "-"),)


def _stated_default(text: str) -> tuple[str, str]:
    """A help text without the default at its end, and that default."""
    match = re.fullmatch(r"(.*?)(?: \[default: (.*)\])?", text, re.DOTALL)
    assert match
    return match[1], match[2] or ""


def usage(verb: str, found: list[Parameter]) -> str:
    """The line of a verb: `glocal val [OPTIONS] RUN [DATA]`."""
    arguments = [p.names[0] if p.required else f"[{p.names[0]}]" for p in found if not p.is_flag]
    return " ".join(["glocal", verb, "[OPTIONS]", *arguments])


def page(verb: str) -> str:
    """The reference page of a verb."""
    found = parameters(verb)
    synonyms = [synonym for synonym, name in SYNONYMS.items() if name == verb]
    lines = [f"# glocal {verb}\n", docstring(function(verb).__doc__ or ""), f"```text\n{usage(verb, found)}\n```\n"]
    if synonyms:
        lines.append(f"`glocal {shlex.join(synonyms)}` is the same command.\n")
    arguments = [p for p in found if not p.is_flag]
    if arguments:
        required = [(code(p.names[0]), cell(p.help), "yes" if p.required else "no") for p in arguments]
        lines.append(table(("Argument", "Meaning", "Required"), required))
    for panel in dict.fromkeys(p.panel for p in found if p.is_flag):
        rows = [_row(p) for p in found if p.is_flag and p.panel == panel]
        lines += [f"## {panel}\n", table(("Flag", "Value", "Default", "Meaning"), rows)]
    return "\n".join(lines)


def _row(p: Parameter) -> tuple[str, ...]:
    environment = f" Environment variable: `{p.environment}`." if p.environment else ""
    return ", ".join(map(code, p.names)), cell(p.kind), code(p.default), cell(p.help) + environment


def pages() -> dict[str, str]:
    """Every page about the command line, by its path below the reference."""
    rows = [(f"[glocal {verb}]({verb}.md)", cell((function(verb).__doc__ or "").partition("\n")[0])) for verb in VERBS]
    index = f"""# The command line

{table(("Command", "What it does"), rows)}
Every command takes `--help`. With `--json` a command prints one JSON object on standard output and nothing else there;
[what each prints](../json.md) is described by schemas. Progress is shown on a terminal only.

| Exit code | Meaning |
| --- | --- |
| 0 | The command did what it was asked to do. |
| 1 | It failed; one message says where, what was given and what to do. |
| 2 | The command line is wrong: an unknown option, setting or value. |
| 3 | The pictures failed their check. |
| 128 + n | Signal n stopped it; the last line is the command that goes on. |
"""
    return {"commands/index.md": index, **{f"commands/{verb}.md": page(verb) for verb in VERBS}}
