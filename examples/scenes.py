"""Makes pictures whose objects have exact boxes and masks: real objects, cut out and pasted on real photographs.

    python examples/scenes.py CIFAR PHOTOS FOLDER

CIFAR and PHOTOS: folders with train/CLASS and test/CLASS or val/CLASS. FOLDER gets train/ and val/ with pictures
(images/NNNN.png), classes of pixels (masks/NNNN.png, 0 is the background) and annotations.json in COCO's form. The same seed
makes the same pictures. `read` reads such a folder, however its pictures came about.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

CLASSES = "airplane", "frog", "horse", "ship"
SIDE = 96  # pixels of a picture
OBJECTS, SIDES = (1, 3), (28, 52)  # objects of a picture; pixels of an object's side, before it is cut out
TRAIN, VAL, SEED = 600, 300, 0


class Scene(NamedTuple):
    """A picture, uint8 (h, w, 3), and for each object its mask, bool (h, w), and its class, from 1 on."""

    picture: np.ndarray
    masks: list[np.ndarray]
    labels: list[int]

    @property
    def boxes(self) -> np.ndarray:
        """The smallest box around each mask, float32 (n, 4): left, top, and the first pixels outside."""
        found = [(*np.flatnonzero(mask.any(0))[[0, -1]], *np.flatnonzero(mask.any(1))[[0, -1]]) for mask in self.masks]
        return np.array([(x0, y0, x1 + 1, y1 + 1) for x0, x1, y0, y1 in found], np.float32).reshape(-1, 4)

    @property
    def pixel_classes(self) -> np.ndarray:
        """The class of each pixel, uint8 (h, w); 0 is the background."""
        classes = np.zeros(self.picture.shape[:2], np.uint8)
        for mask, label in zip(self.masks, self.labels, strict=True):
            classes[mask] = label
        return classes


def outline(side: int, rng: np.random.Generator) -> np.ndarray:
    """A random smooth shape that touches no corner of its square, bool (side, side)."""
    y, x = (np.mgrid[:side, :side] + 0.5) * 2 / side - 1
    angle, stretch = np.arctan2(y, x), rng.uniform(0.75, 1.0, 2)
    waves = sum(rng.uniform(-0.08, 0.08) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4))
    return np.hypot(x / stretch[0], y / stretch[1]) < 0.95 + waves


def make_scene(objects: list[tuple[np.ndarray, int]], photograph: np.ndarray, rng: np.random.Generator) -> Scene:
    """Pastes objects, uint8 (h, w, 3) with their class, on a copy of a photograph; one that finds no free place is left out."""
    scene, taken = Scene(photograph.copy(), [], []), np.zeros(photograph.shape[:2], bool)
    for pixels, label in objects:
        side = int(rng.integers(SIDES[0], SIDES[1] + 1))
        shape, small = (
            outline(side, rng),
            np.array(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)),
        )
        for _ in range(20):
            top, left = (int(rng.integers(0, n - side + 1)) for n in photograph.shape[:2])
            mask = np.zeros_like(taken)
            mask[top : top + side, left : left + side] = shape
            if not (mask & taken).any():
                scene.picture[mask] = small[shape]
                scene.masks.append(mask)
                scene.labels.append(label)
                taken |= mask
                break
    return scene


def make(cifar: Path, photos: Path, folder: Path, *, n: int, split: str, seed: int) -> None:
    """n scenes of a split as FOLDER/SPLIT. Objects and photographs of val are of the sources' val or test pictures."""
    rng = np.random.default_rng(seed)
    named = [(file, label) for label, name in enumerate(CLASSES, 1) for file in _files(cifar, split, name)]
    photographs = _files(photos, split, "*")
    out = folder / split
    entries: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        chosen = [named[int(k)] for k in rng.integers(0, len(named), int(rng.integers(OBJECTS[0], OBJECTS[1] + 1)))]
        objects = [(np.array(Image.open(file).convert("RGB")), label) for file, label in chosen]
        scene = make_scene(objects, _square(photographs[int(rng.integers(0, len(photographs)))]), rng)
        name = f"{i:04}.png"
        Image.fromarray(scene.picture).save(out / "images" / name)
        Image.fromarray(scene.pixel_classes).save(out / "masks" / name)
        entries.append({"id": i + 1, "file_name": name, "height": SIDE, "width": SIDE})
        for mask, label, (x0, y0, x1, y1) in zip(scene.masks, scene.labels, scene.boxes.tolist(), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": label,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
                }
            )
    categories = [{"id": label, "name": name} for label, name in enumerate(CLASSES, 1)]
    (out / "annotations.json").write_text(
        json.dumps({"images": entries, "annotations": annotations, "categories": categories})
    )


def _files(folder: Path, split: str, name: str) -> list[Path]:
    """Pictures of one class of a split; val may also be called test."""
    return sorted(folder.glob(f"{split}/{name}/*")) or sorted(folder.glob(f"test/{name}/*") if split == "val" else ())


def _square(file: Path) -> np.ndarray:
    """The middle of a photograph, uint8 (SIDE, SIDE, 3)."""
    image = Image.open(file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = left, top, left + side, top + side
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box))


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed form of a mask: lengths of runs down the columns, in turn without and with the object."""
    flat = np.concatenate(([0], mask.flatten("F").astype(np.int8)))
    ends = np.flatnonzero(np.diff(np.concatenate((flat, [1 - flat[-1]]))))
    return np.diff(np.concatenate(([0], ends))).tolist()


def mask_of(counts: list[int], size: list[int]) -> np.ndarray:
    """The inverse of `run_lengths`: bool of a size (h, w)."""
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(size, order="F")


class Example(NamedTuple):
    """A picture as read: uint8 (h, w, 3); boxes float32 (n, 4); labels int64 (n,); masks bool (n, h, w); the class of each pixel,
    uint8 (h, w)."""

    picture: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    pixel_classes: np.ndarray


def read(folder: Path, split: str) -> tuple[list[Example], list[str]]:
    """The pictures of a split, and the names of the classes from 1 on."""
    found = json.loads((folder / split / "annotations.json").read_text())
    objects: dict[int, list[dict[str, Any]]] = {entry["id"]: [] for entry in found["images"]}
    for each in found["annotations"]:
        objects[each["image_id"]].append(each)
    examples = []
    for entry in found["images"]:
        mine = objects[entry["id"]]
        boxes = np.array([each["bbox"] for each in mine], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        picture, classes = (
            np.array(Image.open(folder / split / part / entry["file_name"])) for part in ("images", "masks")
        )
        labels = np.array([each["category_id"] for each in mine], np.int64)
        masks = [mask_of(**each["segmentation"]) for each in mine]
        examples.append(Example(picture, boxes, labels, np.array(masks, bool).reshape(-1, *classes.shape), classes))
    return examples, [each["name"] for each in found["categories"]]


if __name__ == "__main__":
    for split, n, seed in (("train", TRAIN, SEED), ("val", VAL, SEED + 1)):
        make(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), n=n, split=split, seed=seed)
