"""A server of PostgreSQL that dies and comes back while a study stores its trials in it."""

import random
import time

import pytest

from campaigns.test_kills import MANY_RUNS, STUDY, found
from postgres import postgres_server
from tries import tries

AWAY_S = 2.0
WORDS = MANY_RUNS["study"].replace("--workers 1", "--workers 2").split()


@pytest.mark.slow
@pytest.mark.campaign
def test_a_database_that_dies_and_comes_back_changes_no_number(forks, pixels, tmp_path):
    (tmp_path / "kernels.yaml").write_text(STUDY)
    words = ["study", tmp_path / "kernels.yaml", pixels, *WORDS, "--output", tmp_path]
    n, deaths, resumed = tries(5), 0, 0
    with postgres_server() as server:
        storage = ("--storage", f"postgresql://postgres@{server.place}/postgres")
        begun = time.monotonic()
        forks.run(*words, "--name", "whole", *storage).well()
        seconds = time.monotonic() - begun
        expected = found("study", tmp_path / "whole")
        for number in range(n):
            name = f"x{number}"
            fork = forks.start(*words, "--name", name, *storage)
            end = fork.lives_for(random.Random(number).uniform(0.2, 0.9) * seconds)
            if end is None:
                server.kill()
                time.sleep(AWAY_S)
                server.start()
                deaths += 1
                end = fork.ended()
            if end.code:  # its connection was refused as it began
                assert end.is_named(), end.text
                resumed += 1
                if (tmp_path / name / "run.yaml").exists():
                    forks.run("study", "--resume", tmp_path / name).well()
                else:
                    forks.run(*words, "--name", name, *storage).well()
            assert found("study", tmp_path / name) == expected
    print(f"{n} studies, {deaths} deaths of the server, {resumed} resumed: the same table")
