"""A file of timm's works as it does in timm, and brings nothing of timm along."""

import subprocess
import sys

import pytest

ALONE = """
import sys
from importlib import import_module
from glocal.data.batches.timm_parts import timm_file
names = "optim.muon", "optim.lamb", "data.mixup", "data.random_erasing", "data.auto_augment"
files = [timm_file(name) for name in names]
assert not {"timm", "torchvision"} & {name.split(".")[0] for name in sys.modules}
theirs = [import_module("timm." + name) for name in names]
assert [file.__file__ for file in files] == [file.__file__ for file in theirs]
assert [timm_file(name) for name in names] == theirs
"""


@pytest.mark.slow
def test_files_come_alone():
    subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE], check=True)
