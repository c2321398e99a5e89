"""Real processes: a study that is killed at any moment ends with the table and the verdicts of one that was not."""

import json
import shutil
import time

import pytest

from killing import finished, glocal, killed_again_and_again
from tries import tries

pytestmark = pytest.mark.slow

KILLS = tries(20)
STUDY = """
question: Is a larger kernel better?
recipe: small
settings: {img_size: 16, epochs: 2, batch_size: 64, warmup_epochs: 0, crop: none}
arms:
  k3: convmixer_16_2_p2_k3_32
  k5: convmixer_16_2_p2_k5_32
  blurred: {model: convmixer_16_2_p2_k5_32, evaluation: {corruption: gaussian_noise, severity: 2}}
"""


def facts(folder):
    found = json.loads((folder / "study.json").read_text())
    return [(arm["name"], arm["accuracies"]) for arm in found["arms"]], found["verdicts"]


def test_a_study_that_is_killed_again_and_again_ends_with_the_same_table_and_verdicts(tmp_path):
    """Each kill comes at a random moment of what is left; after the last one the last study may end."""
    (tmp_path / "kernels.yaml").write_text(STUDY)
    words = ("study", tmp_path / "kernels.yaml", "digits", "--scale", "paper", "--seeds", 3, "--workers", 2)
    words = (*words, "--output", tmp_path, "--name")
    started = time.monotonic()
    finished(glocal(*words, "whole"))
    whole_s = time.monotonic() - started
    resumed = []

    def resume(folder):
        if (folder / "run.yaml").exists():
            resumed.append(folder)
            return glocal("study", "--resume", folder)
        shutil.rmtree(folder, ignore_errors=True)  # nothing was started
        return glocal(*words, folder.name)

    studies = killed_again_and_again(
        lambda number: tmp_path / f"killed{number}", resume, kills=KILLS, first_s=2, last_s=0.6 * whole_s
    )
    for folder, kills in studies:
        assert facts(folder) == facts(tmp_path / "whole")
        print(f"{kills} kills, the last of {folder.name}; {len(resumed)} resumed")
    assert len(resumed) >= KILLS // 2
