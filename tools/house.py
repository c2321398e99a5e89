"""Draws docs/house.svg, the rooms of src/glocal in their order, from tests/test_rooms.py: `python tools/house.py`."""

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "house.svg"

WHAT = {
    "design": "architectures as data: ops, costs, spaces, text",
    "families": "the papers' words and networks, one paper a file",
    "net": "architectures as torch modules",
    "weights": "files of weights, and other people's names for them",
    "machine": "device, processes, threads, signals",
    "data": "pictures: read, checked, split, made into batches",
    "artifacts": "the folder of a run, and the versions it ran with",
    "recipes": "settings of a training; the papers' recipes",
    "evaluation": "scores, predictions, linear probe",
    "monitoring": "what a run shows: log, alerts, time left, plots",
    "training": "one training loop, and what happens in a step",
    "runs": "train, resume, rerun: what surrounds the loop",
    "trials": "many runs in one table, with workers",
    "comparing": "seeds and pictures to a verdict; studies",
    "searching": "a space to a trained winner",
    "deploying": "a run to a file that runs elsewhere",
    "explaining": "what a network looked at",
    "serving": "a run or an exported file over HTTP",
    "picking": "which network, for pictures, a device and a time",
    "reporting": "folders to figures and pages",
    "cli": "the commands",
}
"""What each room is for, in a few words."""

WIDTH, ROW, MARGIN, TOP = 660, 30, 16, 58
STYLE = (
    "text { font-family: system-ui, sans-serif; font-size: 14px; fill: #222 } .name { font-weight: 600 } "
    ".title { font-size: 15px; font-weight: 600 } .small { font-size: 12px; fill: #555 } "
    ".plain { fill: #e8f0fb; stroke: #7a9cc6 } .torch { fill: #fdf1e3; stroke: #cf9f62 }"
)


def rooms() -> tuple[tuple[str, ...], frozenset[str]]:
    """The rooms from the lowest up, and those that need the standard library alone, as the test of rooms has them."""
    found = {}
    for node in ast.parse((ROOT / "tests" / "test_rooms.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("ORDER", "TORCHLESS"):
                found[name] = ast.literal_eval(node.value)
    order = tuple(room for room in found["ORDER"] if not room.startswith("__"))
    return order, frozenset(found["TORCHLESS"])


def drawing() -> str:
    """The picture as SVG: the highest room on top; every room may import from those below it."""
    order, plain = rooms()
    height = TOP + ROW * len(order) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="The rooms of glocal, from the command line at the top to the design at the bottom">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text class="title" x="{MARGIN}" y="26">src/glocal</text>',
        f'<text class="small" x="{MARGIN}" y="46">A file imports from its own room and from the rooms below it.</text>',
    ]
    for i, room in enumerate(reversed(order)):
        parts += _row(room, TOP + i * ROW, kind="plain" if room in plain else "torch")
    below = TOP + ROW * len(order) + 20
    parts += [
        f'<text class="small" x="{MARGIN}" y="{below}">Blue: the standard library only. '
        "Below all rooms: errors, files, settings and other single files.</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(room: str, y: int, *, kind: str) -> list[str]:
    return [
        f'<rect class="{kind}" x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="{ROW - 5}" rx="4"/>',
        f'<text class="name" x="{MARGIN + 12}" y="{y + 17}">{room}</text>',
        f'<text x="{MARGIN + 140}" y="{y + 17}">{escape(WHAT[room])}</text>',
    ]


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    print(PICTURE)
