"""A folder is written by one process at a time."""

import subprocess
import sys

import pytest

from glocal.artifacts.holding import held
from glocal.errors import RunError

HOLD = """
import sys, time
from pathlib import Path
from glocal.artifacts.holding import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_until_the_first_ends_however_it_ends(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=f"another process goes on with {tmp_path}; wait for its end"),
            held(tmp_path),
        ):
            pass
        with held(tmp_path, main=False):
            pass
        other.kill()
        other.wait()
    with held(tmp_path):
        assert (tmp_path / "held").stat().st_size == 0


def test_a_folder_that_is_not_there_cannot_be_held(tmp_path):
    with pytest.raises(RunError, match="none/held could not be written: No such file"), held(tmp_path / "none"):
        pass
