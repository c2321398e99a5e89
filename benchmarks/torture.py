"""Plants every faulty folder of `tests/torture` and lets glocal, timm, torchvision and fastai train on each: what do they say?

    python benchmarks/torture.py [--tools glocal torchvision timm fastai] [--timm-train train.py] [--fastai-python PYTHON]
                                 [--only PATTERN] [--limit 60] [--json FILE]

glocal: `glocal train`. timm: its train script, which its wheel does not hold (`--timm-train`). torchvision: `ImageFolder` and
the training loop of its reference classification script. fastai: `ImageDataLoaders.from_folder` and `fit`, by the Python in
which it is installed (`--fastai-python`). Each trains a tiny network for an epoch on the CPU, in a process of its own that is
forked from one that has imported the tool. What a tool read (classes, pictures, the pixels of the odd one) is noted from
inside its process and never shown to it.

named    trained, and the fault's path is in what was said; of glocal also in the data.json of the run
handled  trained, nothing said, and nothing needs to be: classes, pictures and pixels are those that were planted
silent   trained, nothing said, and the number is not what its reader takes it for
stopped  ended with an error that names the place
crashed  ended with an error that does not
hung     did not end within the limit
"""

import argparse
import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from torture.catalogue import FOLDERS
from torture.planting import Fault
from torture.rights import powerless

TOOLS = ("glocal", "timm", "torchvision", "fastai")
VERDICTS = ("named", "handled", "silent", "stopped", "crashed", "hung")
SIZE = 64  # pixels that the networks see; a last stage of 2 x 2, so that a last batch of one picture has a variance


def note(what: str, seen: Any) -> None:
    """Keeps what a tool read, for the judge alone."""
    with open(os.environ["TORTURE_NOTES"], "a") as file:
        file.write(json.dumps([what, seen]) + "\n")


def note_probe(probe: str | None, read: Callable[[str], Any]) -> None:
    if probe and Path(probe).is_file():
        with contextlib.suppress(Exception):  # what cannot be read fails again where the tool reads it
            pixels = np.asarray(read(probe))
            np.save(os.environ["TORTURE_NOTES"] + ".npy", pixels)


# ---------------------------------------------------------------------------------------------------------- the tools


def glocal(root: str, probe: str | None, scratch: str, script: str) -> None:
    from glocal.cli.app import main
    from glocal.data import decode

    words = f"--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 1 --batch-size 4 --output {scratch} --name run"
    sys.argv = ["glocal", "train", root, *words.split()]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    known = json.loads(Path(scratch, "run", "data.json").read_text())
    for fault in known["faults"]:
        print(f"{fault['path']}: {fault['reason']}")
    for split, rows in known["rows"].items():
        note(split, dict(Counter(known["classes"][label] for _, label, *_ in rows)))
    note_probe(probe, decode)


def timm(root: str, probe: str | None, scratch: str, script: str) -> None:
    import timm.data

    make = timm.data.create_dataset

    def noted(*args: Any, **options: Any) -> Any:
        dataset = make(*args, **options)
        reader = dataset.reader
        names = {i: name for name, i in reader.class_to_idx.items()}
        split = "train" if options["is_training"] else "val"
        note(split, dict(Counter(names[label] for _, label in reader.samples)))
        note(f"map of {split}", reader.class_to_idx)
        places = {os.path.realpath(path): i for i, (path, _) in enumerate(reader.samples)}
        if probe and (place := places.get(os.path.realpath(probe))) is not None:
            note_probe(probe, lambda _: dataset[place][0])
        return dataset

    timm.data.create_dataset = noted
    classes = Path(root, "train") if Path(root, "train").is_dir() else Path(root)
    n = sum(p.is_dir() for p in classes.iterdir()) if classes.is_dir() else 2
    words = f"--model test_resnet --num-classes {n} --img-size {SIZE} --batch-size 4 --epochs 1 --warmup-epochs 0"
    words += " --workers 0 --device cpu"
    sys.argv = [script, *words.split(), "--output", scratch, root]
    runpy.run_path(script, run_name="__main__")


def torchvision(root: str, probe: str | None, scratch: str, script: str) -> None:
    import torch
    from torchvision import datasets, models, transforms

    norm = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    teach = transforms.Compose([transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), *norm])
    judge = transforms.Compose([transforms.Resize(SIZE), transforms.CenterCrop(SIZE), *norm])
    train = datasets.ImageFolder(os.path.join(root, "train"), teach)
    val = datasets.ImageFolder(os.path.join(root, "val"), judge)
    for split, dataset in (("train", train), ("val", val)):
        note(split, dict(Counter(dataset.classes[label] for label in dataset.targets)))
        note(f"map of {split}", dataset.class_to_idx)
    if probe in {path for path, _ in train.samples}:
        note_probe(probe, train.loader)
    model = models.resnet18(num_classes=len(train.classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    criterion = torch.nn.CrossEntropyLoss()
    model.train()
    for x, y in torch.utils.data.DataLoader(train, batch_size=4, shuffle=True):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    right = 0
    with torch.inference_mode():
        for x, y in torch.utils.data.DataLoader(val, batch_size=4):
            criterion(model(x), y)
            right += int((model(x).argmax(1) == y).sum())
    print(f"Test: Acc@1 {100 * right / len(val):.3f}")


def fastai(root: str, probe: str | None, scratch: str, script: str) -> None:
    from fastai.vision.all import ImageDataLoaders, PILImage, Resize, accuracy, resnet18, vision_learner

    how = {"train": "train", "valid": "val"} if Path(root, "train").is_dir() else {"valid_pct": 0.2, "seed": 0}
    loaders = ImageDataLoaders.from_folder(root, item_tfms=Resize(SIZE), bs=4, num_workers=0, **how)
    for split, dataset in (("train", loaders.train_ds), ("val", loaders.valid_ds)):
        note(split, dict(Counter(Path(path).parent.name for path in dataset.items)))
    if probe and probe in {str(path) for path in loaders.train_ds.items}:
        note_probe(probe, PILImage.create)
    learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy, path=scratch)
    learner.fit(1)
    print(learner.validate())


# ------------------------------------------------------------------------------------------------- running and judging


def work(tool: str, limit_s: float) -> None:
    """Reads cells from standard input, a line of JSON each, and answers with a line: how the tool ended, what it said."""
    _IMPORTS[tool]()
    act = {"glocal": glocal, "timm": timm, "torchvision": torchvision, "fastai": fastai}[tool]
    for line in sys.stdin:
        cell = json.loads(line)
        said = Path(cell["scratch"], "said")
        child = os.fork()
        if child == 0:
            _act(act, cell, said)
        print(json.dumps({"code": _ended(child, limit_s), "said": said.read_text(errors="replace")}), flush=True)


def _imports_glocal() -> None:
    import glocal.cli.app
    import glocal.runs.train  # noqa: F401


def _imports_timm() -> None:
    import timm.data  # noqa: F401


def _imports_torchvision() -> None:
    import torchvision  # noqa: F401


def _imports_fastai() -> None:
    import fastai.vision.all  # noqa: F401


_IMPORTS = {
    "glocal": _imports_glocal,
    "timm": _imports_timm,
    "torchvision": _imports_torchvision,
    "fastai": _imports_fastai,
}


def _act(act: Callable[[str, str | None, str, str], None], cell: dict[str, Any], said: Path) -> None:
    """In the child: the tool, with all it says in a file. Does not return."""
    import traceback

    import torch

    out = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(TORTURE_NOTES=cell["scratch"] + "/notes", COLUMNS="400", PYTHONUNBUFFERED="1")
    os.chdir(cell["scratch"])
    torch.set_num_threads(1)
    code = 0
    try:
        with powerless() if cell["powerless"] else contextlib.nullcontext():
            act(cell["root"], cell["probe"], cell["scratch"] + "/out", cell["script"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(child: int, limit_s: float) -> int | None:
    """The exit code of a child; None where it had to be killed."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def judged(fault: Fault, tool: str, answer: dict[str, Any], *, cell: dict[str, Any], shown: np.ndarray | None) -> str:
    """The verdict on one run of one tool."""
    if answer["code"] is None:
        return "hung"
    if tool == "glocal":
        told = bool(re.search(fault.says, answer["said"]))
    else:
        told = _told(fault, answer["said"], stopped=bool(answer["code"]), root=cell["root"])
    if answer["code"]:
        return "stopped" if told else "crashed"
    if fault.benign and _read_right(fault, Path(cell["scratch"]), shown):
        return "named" if fault.verdict == "named" and told else "handled"
    return "named" if told else "silent"


def _told(fault: Fault, said: str, *, stopped: bool, root: str) -> bool:
    """Whether a message of another tool names the fault: by the last part of the path that glocal names, or by the folder.

    Of a traceback the last line is the message; it may hold a bare word, which elsewhere stands in many a line by chance.
    """
    last = fault.says.split(":")[0].rsplit("/", maxsplit=1)[-1] if ":" in fault.says else ""
    if stopped:
        message = (said.strip().splitlines() or [""])[-1]
        return root in message or bool(last and re.search(rf"\b{last}\b", message))
    return bool(last and re.search(last if "." in last else rf"[/'\"]{last}\b", said))


def _read_right(fault: Fault, scratch: Path, shown: np.ndarray | None) -> bool:
    notes = dict(json.loads(line) for line in (scratch / "notes").read_text().splitlines())
    if notes.get("map of train") != notes.get("map of val"):
        return False
    if fault.counts and {split: notes.get(split) for split in fault.counts} != fault.counts:
        return False
    if shown is None:
        return True
    pixels = scratch / "notes.npy"
    if not pixels.exists():
        return False
    seen = np.load(pixels)
    return seen.shape == shown.shape and bool(np.abs(seen.astype(int) - shown.astype(int)).mean() < 6)


def run(
    tool: str, python: str, faults: list[Fault], home: Path, *, script: str, limit_s: float
) -> list[dict[str, Any]]:
    """One tool on all faults; each on a folder planted anew."""
    worker = subprocess.Popen(
        [python, __file__, "--worker", tool, "--limit", str(limit_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin
    assert worker.stdout
    found = []
    for number, fault in enumerate(faults):
        root, scratch = home / tool / str(number) / "data", home / tool / str(number) / "scratch"
        root.mkdir(parents=True)
        scratch.mkdir()
        (scratch / "notes").touch()
        shown = fault.plant(root)
        probe = str(root / fault.probe) if fault.probe else None
        cell = {
            "root": str(root),
            "probe": probe,
            "scratch": str(scratch),
            "powerless": fault.powerless,
            "script": script,
        }
        worker.stdin.write(json.dumps(cell) + "\n")
        worker.stdin.flush()
        if not (line := worker.stdout.readline()):
            break
        answer = json.loads(line)
        found.append({**answer, "verdict": judged(fault, tool, answer, cell=cell, shown=shown)})
        print(f"{tool:12} {found[-1]['verdict']:8} {fault}", file=sys.stderr, flush=True)
    worker.stdin.close()
    worker.wait()
    return found


def table(faults: list[Fault], found: dict[str, list[dict[str, Any]]]) -> str:
    """Fault by tool in Markdown, with the totals."""
    tools = list(found)
    lines = ["| fault | " + " | ".join(tools) + " |", "|---" * (len(tools) + 1) + "|"]
    for i, fault in enumerate(faults):
        lines.append(f"| {fault} | " + " | ".join(found[tool][i]["verdict"] for tool in tools) + " |")
    for verdict in VERDICTS:
        counts = (sum(cell["verdict"] == verdict for cell in found[tool]) for tool in tools)
        lines.append(f"| **{verdict}** | " + " | ".join(f"**{n}**" for n in counts) + " |")
    return "\n".join(lines)


def versions(python: str) -> str:
    names = "glocal timm torch torchvision fastai pillow"
    code = f"""
from importlib import metadata
for name in {names.split()}:
    try:
        print(name, metadata.version(name), end=", ")
    except metadata.PackageNotFoundError:
        pass
"""
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.rstrip(", ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--timm-train", default="")
    parser.add_argument("--fastai-python", default=sys.executable)
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=TOOLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.limit)
        return
    faults = [fault for fault in FOLDERS if re.search(args.only, fault.name)]
    found = {}
    with tempfile.TemporaryDirectory() as home:
        for tool in args.tools:
            if tool == "timm" and not args.timm_train:
                print(
                    "timm is left out: its wheel lacks the train script; name a copy with --timm-train", file=sys.stderr
                )
                continue
            python = args.fastai_python if tool == "fastai" else sys.executable
            script = str(Path(args.timm_train).resolve())
            answers = run(tool, python, faults, Path(home), script=script, limit_s=args.limit)
            if len(answers) == len(faults):
                found[tool] = answers
            else:
                print(f"{tool} is left out: its worker ended (is it installed in {python}?)", file=sys.stderr)
    print(f"{datetime.now(UTC):%Y-%m-%d}; {versions(sys.executable)}; fastai by {versions(args.fastai_python)}\n")
    print(table(faults, found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
