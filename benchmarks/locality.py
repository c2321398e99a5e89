"""Does the local part do what the papers claim? Makes the pictures, describes the networks, and measures the trained runs.

    python benchmarks/locality.py make CIFAR FOLDER       # pastes of four classes with boxes, and five architectures
    glocal train FOLDER/data --model FOLDER/glit.yaml --recipe small --epochs 8 --batch-size 64 \\
        --workers 0 --output FOLDER/runs/glit
    python benchmarks/locality.py measure FOLDER docs     # figures into docs/, tables to the terminal

CIFAR: a folder with train/CLASS and test/CLASS. docs/locality.md shows what came out.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from glocal.data.batches.preprocess import Preprocess
from glocal.design import (
    Architecture,
    ClassToken,
    Conv,
    First,
    Flatten,
    Grid,
    LearnedPosition,
    Linear,
    Mean,
    Norm,
    Patches,
    Stage,
    dump,
)
from glocal.explaining.attention.places import attention_places
from glocal.explaining.checks import Checks, Difference, Sample, run_checks
from glocal.explaining.methods import Explainer, choose_methods
from glocal.explaining.networks.figures import drawn
from glocal.explaining.networks.measures import attention_distances, receptive_fields
from glocal.explaining.networks.weight_pictures import offset_tables
from glocal.explaining.overlays import explainer_of
from glocal.explaining.pastes import make_pastes
from glocal.explaining.picture_maps import heat, on_picture
from glocal.families import coatnet, compact
from glocal.families.coatnet import RelativeTransformer
from glocal.families.compact import CompactLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit import GLiTBlock
from glocal.weights import load_model

CLASSES = "airplane", "automobile", "frog", "horse"
SIDE, TRAIN, VAL = 40, 1500, 250  # pixels of a canvas; pictures of a class
HELD_OUT, CURVES = 120, 32  # first pictures of val that maps are measured on; of deletion and insertion
POINTING = {
    "convnext": 120,
    "coatnet": 120,
    "glit": 80,
    "deit": 80,
    "cct": 80,
}  # pictures of the pointing game, as on the page
LN, IMAGE = Norm("layer", 1e-6), Grid(3, SIDE, SIDE)


def make(cifar: Path, folder: Path) -> None:
    """The pictures as FOLDER/data/{train,val}/CLASS, boxes.json of the held-out ones, and NAME.yaml of each architecture."""
    for split, source, n, seed in (("train", "train", TRAIN, 1), ("val", "test", VAL, 2)):
        files = [
            (name, file)
            for i in range(n)
            for name in CLASSES
            for file in sorted((cifar / source / name).iterdir())[i : i + 1]
        ]
        pictures = [np.asarray(Image.open(file).convert("RGB")) for _, file in files]
        boxes = {}
        for paste in make_pastes(pictures, len(pictures), size=(SIDE, SIDE), seed=seed):
            name, file = files[paste.index]
            path = folder / "data" / split / name / f"{file.stem}-0.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(paste.canvas).save(path)
            boxes[f"{name}/{path.name}"] = paste.box
        (folder / f"boxes-{split}.json").write_text(json.dumps(boxes))
    for name, arch in architectures().items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dump(arch), sort_keys=False))


def architectures() -> dict[str, Architecture]:
    """Five networks of 7 to 27 million multiply-adds for pictures of 40 pixels; GLiT and DeiT differ in their heads alone."""

    def of_tokens(name: str, local_heads: tuple[int, ...]) -> Architecture:
        blocks = tuple(GLiTBlock(3, local, kernel=23, expansion=2) for local in local_heads)
        stem = (Patches(48, 4), Flatten(), ClassToken(), LearnedPosition())
        return Architecture(name, stem, (Stage(48, blocks),), (LN, First(), Linear(4)), image=IMAGE, init="vit")

    stages = (
        Stage(32, (ConvNeXtBlock(),)),
        Stage(64, (ConvNeXtBlock(),) * 2, 2, Downsample()),
        Stage(128, (ConvNeXtBlock(),), 2, Downsample()),
    )
    cct = compact.compact("cct_small_scale", compact.tokenizer(64, kernel=3, blocks=2), layers=2, size=SIDE, classes=4)
    hybrid = coatnet.coatnet(
        "coatnet_small_scale", (1, 2), (24, 48, 64), layout="CT", transformer=RelativeTransformer(16)
    )
    return {
        "convnext": Architecture(
            "convnext_small_scale", (Conv(32, 2, 2, padding=0), LN), stages, (Mean(), LN, Linear(4)), IMAGE, "normal"
        ),
        "coatnet": replace(hybrid, head=coatnet.head(64, 4), image=IMAGE),
        "glit": of_tokens("glit_small_scale", (0, 3, 2, 0)),
        "deit": of_tokens("deit_small_scale", (0, 0, 0, 0)),
        "cct": replace(cct, stages=(Stage(64, (CompactLayer(2, 2.0),) * 2),)),
    }


class Trained:
    """A trained network with held-out pictures of known places."""

    def __init__(self, folder: Path, name: str) -> None:
        (run,) = (folder / "runs" / name).iterdir()
        model = load_model(run / "weights" / "best.safetensors")
        rows = (run / "metrics.csv").read_text().splitlines()
        column = rows[0].split(",").index("val_top1")
        self.epochs, self.top1 = len(rows) - 1, max(float(row.split(",")[column]) for row in rows[1:])
        self.preprocess = Preprocess.from_json(model.preprocess)
        self.explainer: Explainer = explainer_of(model.network, self.preprocess)
        boxes = json.loads((folder / "boxes-val.json").read_text())
        paths = sorted(boxes, key=lambda path: (path.split("/")[1], path))[:HELD_OUT]
        self.pictures = [np.asarray(Image.open(folder / "data" / "val" / path).convert("RGB")) for path in paths]
        x_BCHW = torch.from_numpy(np.stack([self.preprocess.resize(picture) for picture in self.pictures]))
        classes = torch.tensor([model.classes.index(path.split("/")[0]) for path in paths])
        self.sample = Sample(self.preprocess.normalise(x_BCHW), classes, [tuple(boxes[path]) for path in paths])

    def few(self, n: int) -> Sample:
        """The first n pictures."""
        return Sample(self.sample.pictures[:n], self.sample.classes[:n], self.sample.boxes[:n])

    def maps(self, method: str, n: int) -> np.ndarray:
        """The maps of the first n pictures for their true classes, in the coordinates of the pictures: (n, h, w)."""
        few = self.few(n)
        maps = self.explainer.maps(method, few.pictures, few.classes).numpy()
        return np.stack([on_picture(each, (SIDE, SIDE), self.preprocess) for each in maps])

    def inside(self, method: str) -> list[float]:
        """Of each picture, the share of the map, above its lowest value, that lies on the object."""
        shares = []
        for each, (top, left, bottom, right) in zip(self.maps(method, HELD_OUT), self.sample.boxes, strict=True):
            mass = each - each.min()
            shares.append(float(mass[top:bottom, left:right].sum() / max(mass.sum(), 1e-12)))
        return shares


def measure(folder: Path, docs: Path) -> None:
    """Prints the tables of docs/locality.md and draws its figures."""
    networks = {name: Trained(folder, name) for name in architectures() if (folder / "runs" / name).exists()}
    for name, trained in networks.items():
        print(f"| {name} | {trained.epochs} epochs | {trained.top1:.1%} | read at {trained.explainer.place.path} |")
        subject = trained.explainer.subject
        assert subject.arch is not None
        for method in choose_methods(subject, trained.explainer.place, "all"):
            n = POINTING[name] if method != "occlusion" else 24
            print(name, method, _line(run_checks(trained.explainer, method, trained.few(CURVES), trained.few(n))))
            print(f"  on the object: {fmean(trained.inside(method)) if method != 'occlusion' else float('nan'):.3f}")
        for layer, place in zip(
            attention_distances(subject, trained.few(64).pictures), attention_places(subject.arch), strict=True
        ):
            print(
                f"  {layer.path} ({place.share:.2f}): {[round(p, 1) for p in layer.pixels]}, equal {layer.uniform:.1f}"
            )
        for field in receptive_fields(subject, trained.few(64).pictures):
            print(f"  {field.path}: reach {field.reach}, 90 % in {field.effective}")
    if {"glit", "deit"} <= networks.keys():
        pairs = zip(networks["glit"].inside("features"), networks["deit"].inside("features"), strict=True)
        print("feature map on the object, GLiT minus DeiT:", Difference.of([a - b for a, b in pairs]))
    (docs / "locality-maps.png").write_bytes(draw_maps(networks))
    (docs / "locality-fields.png").write_bytes(draw_fields(networks))
    (docs / "locality-distances.png").write_bytes(draw_distances(networks))


def _line(checks: Checks) -> str:
    found = checks.pointing
    assert found is not None
    low, high = found.interval
    differences = [
        f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        for d in (checks.deletion, checks.deletion_centre, checks.insertion, checks.insertion_centre)
    ]
    return (
        f"| {checks.correlation:.2f} | {' | '.join(differences)} | {found.hits}/{found.n} ({low:.0%} to {high:.0%}; "
        f"centre {found.centre:.0%}, random {found.random:.0%}) |"
    )


def draw_maps(networks: dict[str, Trained], n: int = 6) -> bytes:
    """A row a map, a column a picture."""
    rows: list[tuple[str, Any]] = [("picture", None)]
    rows += [
        (f"{name}: {method}", (name, method))
        for name, method in (
            ("deit", "features"),
            ("glit", "features"),
            ("deit", "gradcam"),
            ("glit", "gradcam"),
            ("convnext", "gradcam"),
            ("coatnet", "gradcam"),
            ("cct", "gradcam"),
            ("cct", "seqpool"),
        )
        if name in networks
    ]
    first = next(iter(networks.values()))

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(rows), n)
        for i, (title, what) in enumerate(rows):
            maps = None if what is None else networks[what[0]].maps(what[1], n)
            for j in range(n):
                picture = first.pictures[j]
                axes[i, j].imshow(picture if maps is None else heat(picture, maps[j]), interpolation="nearest")
                axes[i, j].set(xticks=[], yticks=[])
            axes[i, 0].set_ylabel(title, fontsize=7)

    return drawn(draw, width=0.95 * n, height=0.97 * len(rows))


def draw_fields(networks: dict[str, Trained]) -> bytes:
    """Effective receptive fields, a row a network, and CoAtNet's tables of offsets below."""
    fields = {name: receptive_fields(t.explainer.subject, t.few(64).pictures) for name, t in networks.items()}
    tables = offset_tables(networks["coatnet"].explainer.subject) if "coatnet" in networks else []
    columns = max(4, *(len(found) for found in fields.values()))

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(fields) + len(tables), columns, squeeze=False)
        for each in axes.flat:
            each.set_axis_off()
        for i, (name, found) in enumerate(fields.items()):
            for j, field in enumerate(found):
                axes[i, j].imshow(np.sqrt(field.gradient), cmap="magma")
                axes[i, j].set_title(f"{name}, {field.path}\n90 % in {field.effective} px", fontsize=6)
        for i, table in enumerate(tables, len(fields)):
            for j, panel in enumerate(table.panels[:columns]):
                limit = float(panel.abs().max())
                axes[i, j].imshow(panel.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
                axes[i, j].set_title(f"offsets, layer {i - len(fields) + 1}, head {j + 1}", fontsize=6)

    return drawn(draw, width=1.75 * columns, height=1.75 * (len(fields) + len(tables)))


def draw_distances(networks: dict[str, Trained]) -> bytes:
    """Mean attention distances of the heads, a panel a network."""
    found = {name: attention_distances(t.explainer.subject, t.few(64).pictures) for name, t in networks.items()}
    found = {name: layers for name, layers in found.items() if layers}

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for axis, (name, layers) in zip(axes, found.items(), strict=True):
            for i, layer in enumerate(layers, 1):
                axis.scatter([i] * len(layer.pixels), layer.pixels, color="#0072B2", s=18)
            axis.plot([0.5, len(layers) + 0.5], [layers[0].uniform] * 2, color="#777777", ls="--", lw=1)
            axis.set(title=name, xlabel="attention layer", xticks=range(1, len(layers) + 1), ylim=(0, 24))
        axes[0].set_ylabel("mean distance, pixels")

    return drawn(draw, width=7.2, height=2.4)


if __name__ == "__main__":
    {"make": make, "measure": measure}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
