"""What the tests of the documentation change in its commands, and what they leave out, each with its reason."""

import re
from typing import NamedTuple


class Exclusion(NamedTuple):
    """Commands or Python blocks that contain `pattern` are not run."""

    pattern: str
    reason: str


EXCLUDED = (
    Exclusion(r"\bpip install\b|-m venv\b", "needs the network; .ci/run does it in a new environment"),
    Exclusion(r"^torchrun\b", "several processes; tests/runs/test_processes.py starts them"),
    Exclusion(r"^tensorboard\b|^mlflow\b", "a server, which does not end"),
    Exclusion(
        r"^glocal serve\b|//127\.0\.0\.1", "a server, which does not end; tests/serving runs it and what asks it"
    ),
    Exclusion(r"\btimm:(?!test_vit|mobilenetv2)|\bhf:|https?://|s3://", "downloads weights, shards or pictures"),
    Exclusion(r"glocal search .*--name (hierarchical|joint|random)", "three searches; the page of search runs one"),
    Exclusion(r"^(\w+=\S+ )?pytest\b|^\.ci/run|^pre-commit\b|^mypy\b|^ruff\b", "the tests themselves"),
    Exclusion(r"glocal study convnext\.table10", "thirteen networks; tests/comparing runs smaller studies"),
    Exclusion(r"glocal study (convnext\.kernel|--resume)", "tests/comparing/test_run_study.py goes on and adds seeds"),
    Exclusion(
        r"glocal export|exports/|\.export\(|load_exported", "takes a minute; tests/deploying makes and reads such files"
    ),
    Exclusion(
        r"coremltools|executorch|litert", "converters that are not installed; the page says that they were not run"
    ),
    Exclusion(r"glocal pick pictures/", "26 networks and an hour; tests/cli/test_pick.py picks from two"),
    Exclusion(r"postgresql://USER@HOST", "no such server; tests/campaigns/test_database.py starts one"),
    Exclusion(r"(benchmarks|examples)/", "measures for minutes; numbers depend on the machine"),
)

SHORTER = (
    (r"--epochs[ =]\d+", "--epochs 1"),
    (r"\bepochs=\d+", "epochs=1"),
    (r"--networks[ =]\d+", "--networks 3"),
    (r"networks=\d+", "networks=3"),
    (r"--workers[ =]\d+", "--workers 1"),
    (r"\bworkers=\d+", "workers=1"),
    (r"--(candidates|supernet-epochs|finalists|finalist-epochs)[ =]\d+ ?", ""),
    (r"--budget[ =]\S+ ?", ""),
    (r"--space glit_cifar(?!_)", "--space glit_cifar_48_2"),
    (r"\bbudget_s=\d+", "candidates=4, finalists=1, finalist_epochs=1"),
    (r"(glocal\.study\([^)]*)\)", r"\1, seeds=1)"),
)
"""Numbers that say how long something takes are made small, everywhere alike."""

SMALL_TRAINING = ("--set", "warmup_epochs=0", "--set", "batch_size=16")
ADDED = {
    "train": ("--epochs", "1"),
    "search": (
        *(
            "--strategy",
            "supernet",
            "--supernet-epochs",
            "1",
            "--candidates",
            "4",
            "--finalists",
            "2",
            "--finalist-epochs",
            "1",
            "--workers",
            "1",
        ),
        *("--set", "population=2", "--set", "calibration=64", *SMALL_TRAINING),
    ),
    "rank": ("--networks", "3", "--epochs", "1"),
    "study": ("--epochs", "1", "--seeds", "1"),
    "probe": ("--pictures", "100"),
    "benchmark": ("--rounds", "2"),
}
"""What is added to commands that would take long; a flag that a command has already is left as it is."""


def reason_not_to_run(text: str) -> str | None:
    """Why a command or block is left out; None where it is run. Comments do not count."""
    code = re.sub(r"(^|\s)#.*$", "", text, flags=re.MULTILINE)
    return next((e.reason for e in EXCLUDED if re.search(e.pattern, code, re.MULTILINE)), None)


def shortened(text: str) -> str:
    """The same command or block, made to take seconds."""
    for pattern, replacement in SHORTER:
        text = re.sub(pattern, replacement, text)
    return text


def with_additions(words: list[str]) -> list[str]:
    """The words of a `glocal` command with what keeps it short."""
    if len(words) < 2 or "--resume" in words:
        return words
    added = list(ADDED.get(words[1], ()))
    given = {word.partition("=")[0] for word in words}
    result = list(words)
    for name, value in zip(added[::2], added[1::2], strict=True):
        if name == "--set" or name not in given:
            result += [name, value]
    return result
