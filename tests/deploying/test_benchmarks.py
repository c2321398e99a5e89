"""The benchmarks of deployed networks and of a GPU run in a small form, on any machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "benchmarks"


def printed(script, *arguments):
    call = [sys.executable, "-W", "ignore", str(FOLDER / script), *arguments]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_the_table_for_a_gpu_runs_without_pydantic(tmp_path):
    for split in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(2):
                pixels = np.full((32, 32, 3), 40 * i, np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    hidden = "import sys; sys.modules.update(pydantic=None, optuna=None, plotly=None, torchcodec=None, captum=None); "
    run = f"sys.argv = ['gpu.py', *sys.argv[1:]]; exec(open({str(FOLDER / 'gpu.py')!r}).read())"
    call = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        hidden + run,
        "--small",
        "--minutes",
        "0",
        "--pictures",
        str(tmp_path),
    ]
    found = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    assert "cct_2_3x2_32       training" in found
    assert "top-1" in found


@pytest.mark.slow
def test_the_table_of_deployed_networks_runs():
    found = printed("deployed.py", "cct_2_3x2_32", "--small", "--rounds", "2", "--batch-size", "1").splitlines()
    assert found[-1].split()[:3] == ["cct_2_3x2_32", "1", "ours"]
