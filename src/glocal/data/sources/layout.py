"""How a folder of pictures is laid out, from the names in it: which folders are splits, and where the classes lie."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glocal.data.faults import Fault
from glocal.data.pictures import is_picture_name
from glocal.data.sources.listing import Listed
from glocal.data.sources.split_names import CERTAIN, SplitName, resembles_split, split_named

_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"})  # left by Windows and macOS
_DEEPEST, _MOST_FOLDERS = 5, 2_000  # how far data are looked for below a folder that has none
_TOLD = 5  # folders named in a message


def is_litter(name: str) -> bool:
    """Whether a name is hidden, or left behind by the system."""
    return name.startswith(".") or name.lower() in _LITTER


def folders_of(path: Path) -> list[str]:
    """The folders in a folder, without litter, sorted; none where it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if not is_litter(entry.name) and entry.is_dir())
    except OSError:
        return []


def holds_pictures(path: Path) -> bool:
    """Whether any picture lies in a folder, at any depth."""
    return any(is_picture_name(name) and not is_litter(name) for _, _, names in os.walk(path) for name in names)


def holds_class_folders(path: Path) -> bool:
    """Whether a folder holds folders with pictures."""
    return any(holds_pictures(path / name) for name in folders_of(path))


def find_splits(root: Path, folders: Sequence[str]) -> dict[str, SplitName]:
    """The folders of a root that are splits.

    `train`, `val`, `valid`, `validation` and `test` always are. `training`, `dev`, `eval` and the like are words for classes
    too: they are splits where they hold class folders, or where every folder with pictures has the name of a split.
    """
    named = {name: split for name in folders if (split := split_named(name))}
    if all(name.lower() in CERTAIN for name in named):
        return named
    filled = {name for name in folders if holds_pictures(root / name)}
    alone = len(filled) > 1 and filled <= named.keys()
    return {
        name: split
        for name, split in named.items()
        if name.lower() in CERTAIN or (name in filled and (alone or holds_class_folders(root / name)))
    }


@dataclass
class _Class:
    """What one folder that is taken for a class holds."""

    direct: bool = False  # pictures of its own
    below: set[str] = field(default_factory=set)  # folders with pictures
    deep: set[str] = field(default_factory=set)  # those of them that hold folders with pictures


def flat_layout_faults(root: Path, files: Iterable[Listed]) -> Iterator[Fault]:
    """Folders that were listed as classes and are none: splits below them or by other names, or a folder around the data."""
    found = _structure(files)
    misplaced = 0
    for name, its in found.items():
        splits = {sub: split for sub in its.below if (split := split_named(sub))}
        if any(split == "train" and sub in its.deep for sub, split in splits.items()):
            reason = f"holds the splits {_list(splits)}; give {root / name}"
        elif len(set(splits.values())) > 1 and "train" in splits.values():
            reason = f"holds {_list(splits)}, which are splits, and below them no class folders"
            if len(found) > 1:
                moved = ", ".join(f"{sub}/{name}" for sub in sorted(splits))
                reason = f"holds {_list(splits)}, which are splits; put each split above the classes: {moved}"
        elif (same := _twins(name, found)) and any(map(resembles_split, (name, *same))):
            reason = (
                f"holds the same folders as {_list(same)}: a split? then rename it to train, val or test, one of each"
            )
        else:
            continue
        misplaced += 1
        yield Fault("layout", name, reason, "error")
    if len(found) == 1 and not misplaced:
        yield from around_faults(root)


def _structure(files: Iterable[Listed]) -> dict[str, _Class]:
    found: dict[str, _Class] = {}
    for file in files:
        _note(found, file.path)
    return found


def _note(found: dict[str, _Class], path: str) -> None:
    """Adds a picture, by its path from the folder that holds the classes, to what the classes hold."""
    top, *folders = path.split("/")[:-1]
    its = found.setdefault(top, _Class())
    if folders:
        its.below.add(folders[0])
    else:
        its.direct = True
    if len(folders) > 1:
        its.deep.add(folders[0])


def _twins(name: str, found: dict[str, _Class]) -> list[str]:
    """Other folders that hold a folder of the same name."""
    return [other for other, its in found.items() if other != name and its.below & found[name].below]


def shared_folders(files: Iterable[Listed]) -> tuple[list[str], list[str]]:
    """Folders that hold no pictures but folders of the same names, and these names; two empty lists where there are none."""
    found = {top: its for top, its in _structure(files).items() if its.below and not its.direct}
    alike = [
        top for top, its in found.items() if len(its.below) > 1 and all(its.below == o.below for o in found.values())
    ]
    return (sorted(alike), sorted(found[alike[0]].below)) if len(alike) > 1 else ([], [])


def around_faults(root: Path) -> Iterator[Fault]:
    """Where a folder holds no data itself: the folders below it to give instead."""
    candidates = data_folders(root)
    if candidates:
        where = _list([str(path) for path in candidates], " or ")
        top = candidates[0].relative_to(root).parts[0]
        yield Fault("layout", top, f"a folder around the data, not a class; give {where}", "error")


def beside_train(root: Path, name: str, splits: Mapping[str, SplitName]) -> str:
    """What is wrong with a folder of pictures beside `train`."""
    of_splits = {folder for split in splits for folder in folders_of(root / split)}
    if of_splits & set(folders_of(root / name)):
        taken = ", ".join(f"{folder} is {split}" for folder, split in splits.items())
        return (
            "holds the same class folders as the splits: a split? then rename it to train, val or test "
            f"({taken}), or move it away"
        )
    return "holds pictures beside the folder `train`: a class? then move it into train, or rename train if it is one"


def split_layout_faults(files: Iterable[Listed]) -> Iterator[Fault]:
    """Splits of which the only folder is one around the classes."""
    found: dict[str, dict[str, _Class]] = {}
    for file in files:
        split, _, rest = file.path.partition("/")
        _note(found.setdefault(split, {}), rest)
    for split, classes in found.items():
        (name, its), *others = classes.items()
        if not others and not its.direct and len(its.below) > 1:
            reason = (
                f"the only folder in {split}, and {_list(its.below)} lie in it; "
                f"if these are the classes, move them up into {split}"
            )
            yield Fault("layout", f"{split}/{name}", reason, "error")


def data_folders(root: Path) -> list[Path]:
    """Folders below a root that could be given instead of it, the nearest first.

    Those that hold a train split, two classes or more, tar shards, or a saved Hugging Face data set.
    """
    return _search(root, _holds_pictures_itself) or _search(root, holds_pictures)


def _search(root: Path, is_class: Callable[[Path], bool]) -> list[Path]:
    found: list[Path] = []
    ahead = deque((root / name, 1) for name in folders_of(root))
    for _ in range(_MOST_FOLDERS):
        if not ahead:
            break
        path, depth = ahead.popleft()
        folders = folders_of(path)
        if _is_data(path, folders, is_class):
            found.append(path)
        elif depth < _DEEPEST:
            ahead.extend((path / name, depth + 1) for name in folders)
    return found


def _is_data(path: Path, folders: Sequence[str], is_class: Callable[[Path], bool]) -> bool:
    try:
        names = os.listdir(path)
    except OSError:
        return False
    if "dataset_dict.json" in names or {"state.json", "dataset_info.json"} <= set(names):
        return True
    if any(name.endswith(".tar") and not is_litter(name) for name in names):
        return True
    train = [name for name in folders if split_named(name) == "train"]
    if any(holds_class_folders(path / name) for name in train):
        return True
    return sum(is_class(path / name) for name in folders) > 1


def _holds_pictures_itself(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            return any(is_picture_name(entry.name) and not is_litter(entry.name) for entry in entries)
    except OSError:
        return False


def _list(names: Iterable[str], separator: str = ", ") -> str:
    every = sorted(names)
    return separator.join(every[:_TOLD]) + ", ..." * (len(every) > _TOLD)
