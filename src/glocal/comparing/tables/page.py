"""The generated parts of docs/studies.md: the rules of the scales, and the list of the studies with what their arms cost."""

import re
from pathlib import Path

from glocal.comparing.arms import network_of
from glocal.comparing.scaling import RULES
from glocal.comparing.study import Arm, Scale, Study
from glocal.comparing.tables import STUDIES
from glocal.design.text import count
from glocal.weights import cost_of
from glocal.weights.networks.any_network import adapt_any

_PAPERS = {
    "coatnet": "CoAtNet",
    "convnext": "ConvNeXt",
    "compact": "Compact Transformers",
    "convmixer": "ConvMixer",
    "glit": "GLiT",
    "glocal": "Ours",
}


def write(path: str | Path) -> None:
    """Brings the generated parts of docs/studies.md up to date."""
    path = Path(path)
    path.write_text(document(path.read_text(encoding="utf-8")), encoding="utf-8")


def document(text: str) -> str:
    """The text with its generated parts made anew; each lies between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    for name, part in {"rules": rules(), "studies": studies()}.items():
        text = re.sub(
            rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)",
            lambda found, part=part: f"{found[1]}{part}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def rules() -> str:
    """The numbers of each scale as a table."""
    names: tuple[Scale, ...] = (*RULES,)
    rows = {
        "picture, pixels a side": ["the paper's", *(f"{RULES[name].image}" for name in names)],
        "width, of networks of several stages and of ConvMixer": [
            "1",
            *(_share(RULES[name].pyramid) for name in names),
        ],
        "there in multiples of": ["", *(f"{RULES[name].unit}" for name in names)],
        "width, of networks of one stage": ["1", *(_share(RULES[name].tokens) for name in names)],
        "channels of an attention head, where a block states them": [
            "1",
            *(_share(RULES[name].head_dim) for name in names),
        ],
        "blocks of a stage, at least one": ["1", *(_share(RULES[name].depth) for name in names)],
    }
    return _table(["", "`paper`", *(f"`{name}`" for name in names)], [[title, *cells] for title, cells in rows.items()])


def studies() -> str:
    """Every study with its question, paper by paper."""
    parts = []
    for paper, title in _PAPERS.items():
        rows = [_row(study) for name, study in STUDIES.items() if name.split(".")[0] == paper]
        head = ["study", "question", "of", "arms", "printed", "multiply-adds at `tiny`"]
        parts.append(f"### {title}\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _row(study: Study) -> list[str]:
    of = study.source.split(", ", 1)[-1] if ", " in study.source else study.source
    printed = sum(arm.printed is not None for arm in study.arms)
    return [f"`{study.name}`", study.question, of, str(len(study.arms)), str(printed or ""), _costs(study)]


def _costs(study: Study) -> str:
    """The least and the most that an arm costs at scale tiny."""
    macs = [_macs(arm) for arm in study.arms]
    low, high = count(min(macs)), count(max(macs))
    return low if low == high else f"{low} to {high}"


def _macs(arm: Arm) -> int:
    return cost_of(adapt_any(network_of(arm, scale="tiny"), classes=10, size=arm.settings.get("img_size"))).macs


def _share(factor: float) -> str:
    return f"1/{1 / factor:g}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
