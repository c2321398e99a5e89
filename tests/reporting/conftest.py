"""A folder as a search of two levels leaves it, made of a plausible table instead of weeks of training."""

import csv
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from glocal.design import Architecture, OneOf, cost, decide, dump, python, questions, sample
from glocal.families.glit import OPTIONS, GLiTBlock, glit, kind

HELD_OUT = 5000
POPULATION, GENERATIONS = 24, 8
PHASES = {"supernet": 30, "candidates": 192, "finalists": 60}


def cifar(name: str, blocks: tuple) -> Architecture:
    arch = glit(name, blocks, width=48, patch=4, size=32)
    return replace(arch, head=(*arch.head[:-1], replace(arch.head[-1], width=10)))


def distribution() -> Architecture:
    return cifar(
        "glit_cifar_48_6_distribution", (OneOf(tuple(GLiTBlock(3, local, kernel=19) for local in range(4))),) * 6
    )


def details(locals_: tuple[int, ...]) -> Architecture:
    def question(local: int) -> OneOf:
        block = GLiTBlock(3, local, kernel=19)
        first, second = OPTIONS[kind(block)].items()
        values = {"kernel": (11, 19, 27)}
        pairs = [(a, b) for a in values.get(first[0], first[1]) for b in second[1]]
        return OneOf(tuple(replace(block, **{first[0]: a, second[0]: b}) for a, b in pairs))

    return cifar("glit_cifar_48_6_details", tuple(question(local) for local in locals_))


def write_rows(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


def candidates(space: Architecture, name: str, rng: random.Random, most: float) -> list[dict]:
    """Evolution on an additive fitness, each candidate measured on some held-out pictures."""
    worth = [[rng.gauss(0, 1) for _ in q.options] for q in questions(space)]
    seen, rows = {}, []

    def truth(chosen: tuple) -> float:
        return 0.58 + 0.012 * sum(w[a] for w, a in zip(worth, chosen, strict=True))

    for generation in range(GENERATIONS):
        best = sorted(seen, key=seen.get, reverse=True)[:6]
        mine = 0
        while mine < POPULATION:
            origin = "random" if not generation else rng.choice(("mutation", "crossover", "random"))
            fresh, parents = sample(space, rng), []
            if origin != "random":
                parents = rng.sample(best, 1 if origin == "mutation" else 2)
                other = fresh if origin == "mutation" else parents[1]
                share = 0.2 if origin == "mutation" else 0.5
                fresh = tuple(b if rng.random() < share else a for a, b in zip(parents[0], other, strict=True))
            price = cost(decide(space, fresh))
            if fresh in seen or price.macs > most:
                continue
            p = truth(fresh)
            seen[fresh] = round(HELD_OUT * p + rng.gauss(0, (HELD_OUT * p * (1 - p)) ** 0.5)) / HELD_OUT
            rows.append({
                "level": name, "generation": generation, "index": mine, "origin": origin,
                "answers": "-".join(map(str, fresh)), "parents": "|".join("-".join(map(str, p)) for p in parents),
                "accuracy": seen[fresh], "n": HELD_OUT, "macs": price.macs, "params": price.params, "latency_ms": "",
                "memory_bytes": "", "seconds": round(rng.uniform(1.5, 2.2), 2), "worker": f"w{mine % 2}",
            })  # fmt: skip
            mine += 1
    return rows


def finalists(path: Path, rows: list[dict], rng: random.Random) -> dict:
    top = sorted(rows, key=lambda row: -row["accuracy"])[:5]
    found = []
    for place, row in enumerate(top, 1):
        accuracy = round((row["accuracy"] + 0.17 + rng.gauss(0, 0.006)) * HELD_OUT) / HELD_OUT
        found.append({
            "place": place, "answers": row["answers"], "macs": row["macs"], "params": row["params"],
            "supernet_accuracy": row["accuracy"], "accuracy": accuracy, "low": accuracy - 0.0118, "high": accuracy + 0.0114,
            "n": HELD_OUT, "run": f"finalists/{place}", "winner": 0,
        })  # fmt: skip
    winner = max(found, key=lambda row: row["accuracy"])
    winner["winner"] = 1
    write_rows(path / "finalists.csv", found)
    return winner


def ranked(path: Path, space: Architecture, rng: random.Random) -> None:
    rows = []
    for _ in range(20):
        chosen = sample(space, rng)
        price, x = cost(decide(space, chosen)), rng.uniform(0.5, 0.64)
        rows.append({
            "answers": "-".join(map(str, chosen)), "macs": price.macs, "params": price.params, "supernet_accuracy": x,
            "accuracy": 0.17 + x + rng.gauss(0, 0.02),
        })  # fmt: skip
    write_rows(path / "rank.csv", rows)

    def estimate(value: float, low: float, high: float) -> dict:
        return {"value": value, "low": low, "high": high}

    values = {
        "n": 20, "tau": estimate(0.58, 0.31, 0.78), "tau_macs": estimate(0.21, -0.12, 0.5), "gain": estimate(0.37, 0.02, 0.7),
        "tau_within": estimate(0.41, None, None), "rho": 0.74, "regret": 0.004, "regret_by_chance": 0.021, "resamples": 2000,
        "undefined": 0,
    }  # fmt: skip
    (path / "rank.json").write_text(json.dumps(values))


def write_search(path: Path, *, seed: int = 0) -> Path:
    rng = random.Random(seed)
    most, space, winner = 22e6, distribution(), {}
    answers = {}
    for name in ("distribution", "details"):
        level = path / name
        level.mkdir(parents=True)
        (level / "space.yaml").write_text(yaml.safe_dump(dump(space), sort_keys=False))
        write_rows(level / "supernet" / "metrics.csv", [
            {"epoch": e, "step": 390 * (e + 1), "time_s": 31.0 * (e + 1), "lr": 1e-3 * (1 - e / 30), "train_loss": 2.3 - 0.03 * e,
             "val_top1_min": 0.2 + 0.008 * e, "val_top1_median": 0.24 + 0.0105 * e, "val_top1_max": 0.27 + 0.012 * e,
             "images_per_s": 1600}
            for e in range(30)
        ])  # fmt: skip
        rows = candidates(space, name, rng, most)
        write_rows(level / "candidates.csv", rows)
        winner = finalists(level, rows, rng)
        answers[name] = winner["answers"]
        chosen = tuple(map(int, winner["answers"].split("-")))
        if name == "distribution":
            ranked(level, space, rng)
            space = details(chosen)
    arch = replace(decide(space, chosen), name="glit_cifar_48_6_found")
    (path / "winner").mkdir()
    (path / "winner" / "architecture.yaml").write_text(yaml.safe_dump(dump(arch), sort_keys=False))
    (path / "winner" / "winner.py").write_text(f"from glocal.design import *\n\narch = {python(arch)}\n")
    values = {key: winner[key] for key in ("accuracy", "low", "high", "n", "macs", "params")}
    (path / "winner" / "winner.json").write_text(json.dumps({**values, "answers": answers}))
    (path / "search.yaml").write_text(yaml.safe_dump({
        "command": "glocal search cifar10 --space glit_cifar_48_6 --max-macs 22M --budget 4h",
        "space": "glit_cifar_48_6", "levels": ["distribution", "details"], "method": "evolution", "source": "cifar10",
        "split_rule": "val is 5,000 of 50,000; test, 10,000 pictures, is set aside",
        "classes": [f"class <b>{i}</b>" for i in range(10)],
        "settings": {
            "space": "glit_cifar_48_6", "method": "evolution", "seed": seed, "budget_s": 14400.0, "candidates": None,
            "finalists": 5, "p_mutation": 0.1, "max_macs": most, "min_macs": None,
        },
        "recipe": {"epochs": 300, "lr": 0.001}, "machine": {"device": "auto", "workers": 2},
        "versions": {"glocal": "0.1.0", "torch": "2.15.0"}, "threads": 2,
    }, sort_keys=False))  # fmt: skip
    decided = {f"{level}/{phase}": n for level in answers for phase, n in PHASES.items()}
    spent = {phase: 4.0 * n for phase, n in decided.items()}
    (path / "plan.json").write_text(json.dumps({"budget_s": 14400.0, "decided": decided, "spent_s": spent}))
    (path / "quote.txt").write_text("distribution/supernet        30 epochs        1:02:03\n")
    return path


@pytest.fixture(scope="session")
def searched(tmp_path_factory) -> Path:
    """Shared by all tests of a process: do not write to it."""
    return write_search(tmp_path_factory.mktemp("runs") / "cifar")


@pytest.fixture
def search_of_mine(searched, tmp_path, monkeypatch) -> Path:
    """A copy to spoil; its report is written without figures, which take longer than all else."""
    for name in ("candidates_svg", "front_svg", "network_svg"):
        monkeypatch.setattr(f"glocal.reporting.searches.page.{name}", lambda *_: "<svg></svg>")
    return Path(shutil.copytree(searched, tmp_path / "mine"))


@pytest.fixture
def race_of_mine(search_of_mine) -> Path:
    """The same, with a second level that has a race in place of a supernet; its race.json."""
    level = search_of_mine / "details"
    shutil.rmtree(level / "supernet")
    with (level / "candidates.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["accuracy"]))[:9]

    def rung(epochs: int, some: list[dict]) -> dict:
        exits = [None, None, None, *["no place"] * 6]
        standings = [
            {"arm": row["answers"], "epochs": epochs, "accuracy": float(row["accuracy"]), "exit": why}
            for row, why in zip(some, exits, strict=False)
        ]
        return {"leader": some[0]["answers"], "standings": standings}

    path = level / "race.json"
    path.write_text(json.dumps([rung(3, rows), rung(9, rows[:3])]))
    guidance = {"proxy": "naswot", "scored": 200, "place": 12, "networks": 9, "epochs": 3}
    guidance |= {"named": 5, "full": 2, "others_full": 1}
    tau = {"value": 0.25, "low": -0.125, "high": 0.5}
    (level / "guidance.json").write_text(json.dumps({**guidance, "tau": tau}))
    return path
