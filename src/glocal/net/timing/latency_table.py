"""Measured time of an architecture as the sum of its parts', each measured once on a machine and kept in a file.

The whole network is measured by `latency`; how near the sum comes to it is told by benchmarks/latency.py.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from glocal.design import Architecture, Grid, Part, Shape, Tokens, parts, python
from glocal.design.cost import part_cost
from glocal.design.span import reach
from glocal.errors import SearchError
from glocal.files import write_whole
from glocal.net.init import initialised
from glocal.net.layout import laid_out, leaves_channels_last
from glocal.net.timing.latency import device_name, measure_calls

ROUNDS, WARMUP = 12, 2  # passes of a part that are timed, of which the fastest counts, and passes before them
_TURN_BYTES = 2**30  # weights and inputs of the parts that take turns
_TRIED = 8  # parts by which the time of all is foretold

Echo = Callable[[str], None]


class Piece(NamedTuple):
    """A part as a network runs it: `channels_last` is the layout of the grid that it is given."""

    part: Part
    channels_last: bool


Key = tuple[str, str, bool]  # sentence, shape given, channels_last
COLUMNS = ("sentence", "given", "channels_last", "ms")


@dataclass(frozen=True)
class Setting:
    """What a time depends on beside the part."""

    device: str
    torch: str
    threads: int  # of the processor
    batch_size: int
    precision: Literal["fp32", "bf16"]

    def __str__(self) -> str:
        pictures = f"{self.batch_size} picture{'s' * (self.batch_size > 1)} a pass"
        return f"{self.device}, {pictures}, {self.precision}, {self.threads} threads, torch {self.torch}"


class LatencyTable:
    """Milliseconds of one forward pass of parts in one setting: on this machine, with so many threads as torch has when the
    table is made.

    path: a JSON file, read if it is there and written when something is measured, so that a search that goes on counts with
    the same numbers. SearchError where it was measured in another setting, or is no such file.
    """

    def __init__(
        self, path: Path | None, device: torch.device, *, batch_size: int = 1, bf16: bool = False, rounds: int = ROUNDS
    ) -> None:
        self.path, self._device, self._rounds = path, device, rounds
        self.setting = Setting(
            device_name(device), torch.__version__, torch.get_num_threads(), batch_size, "bf16" if bf16 else "fp32"
        )
        self._ms = _read(path, self.setting) if path is not None and path.exists() else {}

    def __contains__(self, piece: Piece) -> bool:
        return key(piece) in self._ms

    def __getitem__(self, piece: Piece) -> float:
        return self._ms[key(piece)]

    def __len__(self) -> int:
        return len(self._ms)

    def measure_missing(self, pieces: Iterable[Piece], *, echo: Echo | None = None) -> int:
        """Measures those of the pieces that the table lacks, in turns, and writes the file; the number measured.

        echo: hears beforehand how long it will take.
        """
        missing = [*{key(piece): piece for piece in pieces if piece not in self}.values()]
        if missing and echo:
            echo(f"measuring {len(missing)} parts on {self.setting}: about {self._expected_s(missing):.0f} s")
        for group in _groups(missing, self.setting.batch_size):
            calls = {key(piece): self._call(piece) for piece in group}
            taken = self._measured(calls, rounds=self._rounds, warmup=WARMUP)
            # The fastest: whatever else the machine does only slows a pass.
            self._ms |= {each: min(ms) for each, ms in taken.items()}
            self._write()
        return len(missing)

    def fill(self, space: Architecture, *, echo: Echo | None = None) -> int:
        """Measures every part that an architecture of the space may have; the number measured."""
        each = possible_pieces([*reach(space).values()])
        return self.measure_missing(each, echo=echo)

    def _expected_s(self, pieces: list[Piece]) -> float:
        by_macs = sorted(pieces, key=lambda piece: part_cost(piece.part).macs)
        tried = by_macs[:: -(-len(by_macs) // _TRIED)]
        start = time.perf_counter()
        for piece in tried:
            self._measured({key(piece): self._call(piece)}, rounds=3, warmup=1)  # five passes in all
        passes = WARMUP + 4 * -(-self._rounds // 3)
        return (time.perf_counter() - start) / len(tried) * len(pieces) * passes / 5

    def _measured(self, calls: dict[Key, Callable[[], object]], *, rounds: int, warmup: int) -> dict[Key, list[float]]:
        bf16, before = self.setting.precision == "bf16", torch.get_num_threads()
        torch.set_num_threads(self.setting.threads)
        try:
            return measure_calls(calls, device=self._device, rounds=rounds, warmup=warmup, bf16=bf16)
        finally:
            torch.set_num_threads(before)

    def _call(self, piece: Piece) -> Callable[[], object]:
        part = piece.part
        layers = initialised(part, scheme="torch")
        x = _input(part.given, self.setting.batch_size, channels_last=piece.channels_last)
        return partial(layers.to(self._device).eval(), x.to(self._device))

    def _write(self) -> None:
        if self.path is None:
            return
        rows = [dict(zip(COLUMNS, (*each, ms), strict=True)) for each, ms in self._ms.items()]
        write_whole(self.path, json.dumps({"setting": asdict(self.setting), "parts": rows}, indent=1).encode())


def latency(arch: Architecture, table: LatencyTable) -> float:
    """Milliseconds of one forward pass in the table's setting: the sum over the parts.

    SearchError names the first part that is not in the table; `table.measure_missing(pieces(arch))` puts it there.
    """
    total = 0.0
    for (path, part), piece in zip(parts(arch), pieces(arch), strict=True):
        if piece not in table:
            raise SearchError(
                f"{arch.name}, {path}, given {part.given}: {part.word} has not been measured on {table.setting}"
            )
        total += table[piece]
    return total


def pieces(arch: Architecture) -> Iterator[Piece]:
    """What is measured of an architecture, part by part in forward order."""
    channels_last = False
    for _, part in parts(arch):
        yield _piece(part, channels_last)
        channels_last = leaves_channels_last(part, channels_last)


def possible_pieces(reached: Sequence[tuple[Part, ...]]) -> Iterator[Piece]:
    """Every piece that an architecture of a space may have, given the parts that may stand at each path in forward order.

    A path may be left out, so that the layouts before it are possible behind it too.
    """
    layouts = {False}
    for possible in reached:
        yield from (_piece(part, layout) for part in possible for layout in sorted(layouts))
        layouts |= {leaves_channels_last(part, layout) for part in possible for layout in layouts}


def _piece(part: Part, channels_last: bool) -> Piece:
    return Piece(part, channels_last and isinstance(part.given, Grid))


@lru_cache(maxsize=1 << 16)
def key(piece: Piece) -> Key:
    """Names a piece, the same in every process."""
    return python(piece.part.sentence), repr(piece.part.given), piece.channels_last


def _input(s: Shape, batch_size: int, *, channels_last: bool) -> Tensor:
    if isinstance(s, Grid):
        return laid_out(torch.randn(batch_size, *s), "channels_last" if channels_last else "plain")
    return torch.randn(batch_size, s.n, s.c) if isinstance(s, Tokens) else torch.randn(batch_size, s.c)


def _groups(pieces: list[Piece], batch_size: int) -> Iterator[list[Piece]]:
    """Pieces that fit into memory together."""
    group: list[Piece] = []
    held = 0
    for piece in pieces:
        size = 4 * (part_cost(piece.part).params + batch_size * piece.part.given.n * piece.part.given.c)
        if group and held + size > _TURN_BYTES:
            yield group
            group, held = [], 0
        group.append(piece)
        held += size
    if group:
        yield group


def _read(path: Path, setting: Setting) -> dict[Key, float]:
    try:
        told = json.loads(path.read_text())
        measured_in = Setting(**told["setting"])
        ms = {(row["sentence"], row["given"], row["channels_last"]): float(row["ms"]) for row in told["parts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SearchError(f"{path} is no table of latencies: {error!r}; remove it, and it is measured anew") from None
    if measured_in != setting:
        raise SearchError(
            f"{path} was measured on {measured_in}; this is {setting}. Name another file, or remove it, and it is measured anew"
        )
    return ms
