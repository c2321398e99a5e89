"""Real processes: a pick that is killed at any moment ends with the table and the pick of one that was not."""

import json
import shutil
import time

import pytest

from killing import finished, glocal, killed_again_and_again
from tries import tries

pytestmark = pytest.mark.slow

KILLS = tries(20)
CANDIDATES = ",".join(f"convmixer_16_{depth}_p4_k{kernel}_32" for depth in (1, 2) for kernel in (3, 5))
SETTINGS = (
    f"--candidates {CANDIDATES} --epochs 3 --seeds 2 --finalists 2 --margin 20 --budget 3h --val-fraction 0.25 "
    "--set img_size=16 --set batch_size=16 --set warmup_epochs=0 --set crop=none"
)


def facts(folder):
    """Everything that the pick found, without what the clock decides."""
    found = json.loads((folder / "pick.json").read_text())
    names = ("name", "stage", "why", "epochs", "accuracies", "difference", "interval", "compared_at", "curve")
    rows = [[row[name] for name in names] for row in found["candidates"]]
    return rows, found["pick"], found["rungs"], found["front"], [verdict["sentence"] for verdict in found["verdicts"]]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_pick_that_is_killed_again_and_again_ends_with_the_same_table_and_pick(shades, tmp_path, workers):
    """Each kill comes at a random moment of a race that has been planned; the plan itself depends on measured times."""
    whole, started = tmp_path / "whole", time.monotonic()
    finished(glocal("pick", shades, *SETTINGS.split(), "--workers", workers, "--output", tmp_path, "--name", "whole"))
    whole_s = time.monotonic() - started

    def planned(number):
        folder = tmp_path / f"killed{number}"
        folder.mkdir()
        for name in ("run.yaml", "data.json", "candidates.json"):
            shutil.copy(whole / name, folder)
        plan = json.loads((whole / "plan.json").read_text())
        (folder / "plan.json").write_text(json.dumps({"plan": plan["plan"]}))
        return folder

    def resume(folder):
        return glocal("pick", "--resume", folder)

    for folder, kills in killed_again_and_again(planned, resume, kills=KILLS, first_s=1, last_s=0.8 * whole_s):
        assert facts(folder) == facts(whole)
        print(f"{kills} kills, the last of {folder.name} with {workers} workers")
