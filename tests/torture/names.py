"""Faults of names and of links: what a file system allows and a program may trip over."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

from torture.planting import SOUND, Fault, but, handled, named, picture, save, sow, stopped

ODD_NAMES = (
    "with space.png",
    " leading space.png",
    "-rf.png",
    "--help.png",
    "quote'\"`.png",
    "new\nline.png",
    "tab\tand\x1b[31mred.png",
    "[bold]markup[/bold].png",
    "{0}%s$HOME.png",
    "猫と犬.png",
    "🐈‍⬛.png",
    "قطة.png",
    "\u202egnp.exe.png",
    "a,b;c.png",
    "a\\b.png",
    "a...png.png",
    "NUL.png",
    "con.png",
    "a" * 251 + ".png",
)


def _files(names: tuple[str, ...]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        sow(root)
        for i, name in enumerate(names):
            save(root / "train/cat", name, picture(f"cat/name{i}"))

    return plant


def _classes(*names: str) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        for split, n in (("train", 8), ("val", 4)):
            for name in names:
                for i in range(n):
                    save(root / split / name, f"{i}.png", picture(f"{split}/{name!r}/{i}"))

    return plant


def _of(*names: str) -> dict[str, dict[str, int]]:
    return {split: dict.fromkeys(names, n) for split, n in (("train", 8), ("val", 4))}


def _then(change: Callable[[Path], object]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        change(sow(root))

    return plant


def _not_utf8(root: Path) -> None:
    with open(os.fsencode(root) + b"/train/cat/caf\xe9.png", "wb") as file:
        file.write((root / "train/cat/0.png").read_bytes() + b"\0")


def _unreadable_class(root: Path) -> None:
    (root / "train/dog").chmod(0)


def _unreadable_part(root: Path) -> None:
    save(root, "train/dog/more/0.png")
    (root / "train/dog/more").chmod(0)


def _link_in_class(root: Path) -> None:
    (root / "train/cat/again.png").symlink_to("0.png")


def _spelt_apart(root: Path) -> None:
    _classes(BAER["NFC"], "dog")(root)
    os.rename(root / "val" / BAER["NFC"], root / "val" / BAER["NFD"])


def _spaced_in_val(root: Path) -> None:
    _classes("cat", "dog")(root)
    os.rename(root / "val/cat", root / "val/cat ")


BAER = {form: unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD")}
CLASS_NAMES = ("a b", "-x", "new\nline", "[red]", "[b", "🐈", "CON", "b" * 255)

FAULTS = (
    Fault("file names that trip programs", _files(ODD_NAMES), handled, "height x width: \\d", counts=but(train={"cat": 8 + len(ODD_NAMES)}), benign=True),
    Fault("class names that trip programs", _classes(*CLASS_NAMES), handled, "height x width: \\d", counts=_of(*CLASS_NAMES), benign=True),
    Fault("a name that is not UTF-8", _then(_not_utf8), stopped, r"train/cat/caf\\xe9\.png: .*UTF-8"),
    Fault("classes that differ only in case", _classes("Cat", "cat"), named, "cat: differs from the class Cat only in case", counts=_of("Cat", "cat")),
    Fault("two Unicode spellings of one class in one split", _classes(BAER["NFC"], BAER["NFD"], "dog"), named, "written as .* only in the Unicode form of its characters: read as one class", counts={"train": {BAER["NFC"]: 16, "dog": 8}, "val": {BAER["NFC"]: 8, "dog": 4}}),
    Fault("two Unicode spellings of one class in two splits", _spelt_apart, handled, "source's own", counts=_of(BAER["NFC"], "dog"), benign=True),
    Fault("a class with a space after its name", _classes("cat", "cat ", "dog"), stopped, "'cat ' differs from the class cat only in spaces at its ends"),
    Fault("a class with a no-break space in its name", _classes("hot dog", "hot\u00a0dog"), stopped, r"'hot\\xa0dog' differs from the class hot dog only in the number or the kind of its spaces"),
    Fault("a class with a zero-width space in its name", _classes("cat", "ca\u200bt"), stopped, r"'ca\\u200bt' differs from the class cat only in characters that cannot be seen"),
    Fault("a class with a space after its name in val", _spaced_in_val, stopped, "a class of val that train does not have; its name differs from the class cat of train only in spaces"),
    Fault("classes with two dashes that look alike", _classes("tit-bit", "tit–bit"), named, "differs from the class tit-bit only in characters that look alike", counts=_of("tit-bit", "tit–bit")),
    Fault("classes with Latin and Cyrillic letters", _classes("cat", "сat"), named, "only in characters that look alike", counts=_of("cat", "сat")),
    Fault("files that differ only in case", _then(lambda root: [save(root, f"train/cat/{name}.png") for name in "aA"]), handled, "source's own", counts=but(train={"cat": 10}), benign=True),
    Fault("files of one stem", _then(lambda root: [save(root, f"train/cat/a.{s}") for s in ("png", "jpg", "bmp")]), handled, "source's own|duplicate", counts=but(train={"cat": 11}), benign=True),
    Fault("a link to a folder that holds it", _then(lambda root: (root / "train/cat/again").symlink_to("../cat")), named, "train/cat/again: a link to a folder that holds it", counts=SOUND),
    Fault("a link to itself", _then(lambda root: (root / "train/cat/self.png").symlink_to("self.png")), stopped, r"train/cat/self\.png: cannot be read"),
    Fault("a link to a picture beside it", _then(_link_in_class), named, r"train/cat/again\.png: the same bytes as train/cat/0\.png", counts=but(train={"cat": 9})),
    Fault("a class without the right to read it", _then(_unreadable_class), stopped, "train/dog: .*Permission denied", powerless=True),
    Fault("a folder in a class without the right to read it", _then(_unreadable_part), stopped, "train/dog/more: .*Permission denied", powerless=True),
)  # fmt: skip
