"""Whatever bytes a file holds, it is read or refused with a GlocalError that names it; nothing crashes, hangs or is executed."""

import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from data.fuzz.mutations import damaged
from data.fuzz.readers import Place, Reader
from glocal.errors import GlocalError
from tries import tries

FEW, MANY = 150, 20_000
READERS = (
    "pictures", "a picture in a folder", "CSV", "TSV", "Parquet", "shards", "classes.json", "classes.txt", "manifests",
    "the cache",
    "dataset_info.json", "state.json", "dataset_dict.json", "data-00000-of-00001.arrow",
)  # fmt: skip
LONGEST_S, MOST_KB = 10, 2 * 2**20


def outcome(reader: Reader, number: int) -> str:
    """ "right" or "refused" for the damaged file of a number; AssertionError where it ends otherwise."""
    data = damaged(reader.seeds, number)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(data)
    except GlocalError as error:
        if reader.name not in str(error):
            raise AssertionError(f"file {number}: the error does not name it: {error}") from None
        return "refused"
    except Exception as error:
        raise AssertionError(f"file {number} ends in {type(error).__name__}: {error}") from error
    return "right"


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return Place(tmp_path_factory.mktemp("fuzz") / "data").readers()


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_by_name(readers: dict[str, Reader], name: str):
    if name not in readers:
        pytest.skip("needs datasets and pyarrow")
    seen = {outcome(readers[name], number) for number in range(FEW)}
    assert seen <= {"right", "refused"}
    assert len(seen) == 2 or name in ("the cache", "manifests")


@pytest.mark.parametrize("name", READERS)
def test_an_undamaged_file_is_right(readers: dict[str, Reader], name: str):
    if name not in readers:
        pytest.skip("needs datasets and pyarrow")
    for seed in readers[name].seeds:
        readers[name].read(seed)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("name", READERS)
def test_of_very_many_none_crashes_hangs_or_takes_the_memory(name: str, tmp_path: Path):
    """Each reader in a process of its own, so that a crash of a library is seen; prints the figures of docs/torture.md."""
    command = [sys.executable, __file__, name, str(tmp_path), str(tries(MANY // len(READERS) + 1))]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    print(done.stdout)


def main(name: str, folder: str, n: str) -> None:
    """Reads n damaged files, and prints how they ended, the longest time and the most memory."""
    reader = Place(Path(folder) / "data").readers().get(name)
    if reader is None:
        print(f"{name}: needs datasets and pyarrow")
        return
    ends = {"right": 0, "refused": 0}
    longest = 0.0
    for number in range(int(n)):
        begun = time.process_time()
        ends[outcome(reader, number)] += 1
        longest = max(longest, time.process_time() - begun)
        assert longest < LONGEST_S, f"file {number} took {longest:.1f} s"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert most < MOST_KB, f"{most:,} KiB"
    print(
        f"{name}: {n} files, {ends['right']} right, {ends['refused']} refused, at most {longest:.2f} s and {most / 2**20:.2f} GiB"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
