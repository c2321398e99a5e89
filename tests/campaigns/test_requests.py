"""Damaged requests to the server: each is answered below 500 or refused, none ends it, and it answers rightly afterwards."""

import asyncio
import json

import pytest

from campaigns.forks import Forks
from campaigns.test_stops import listening
from data.fuzz.mutations import damaged
from serving.bad_requests import bad_requests, infer, tensor
from serving.client import Answer, exchange, form_request, picture_request, request
from tries import tries

FEW, MANY, TOGETHER = 60, 2000, 32
LONGEST_S = 10.0


def answer(port: int, picture: bytes) -> Answer:
    """What a server says of a picture."""
    return asyncio.run(exchange(port, picture_request(picture)))


def good_requests(picture: bytes, name: str) -> list[bytes]:
    paths = ("/", "/health", "/metrics", "/v2", f"/v2/models/{name}", f"/v2/models/{name}/ready")
    return [
        picture_request(picture),
        picture_request(picture, "/predict?top=2"),
        form_request("/predict", [("a.png", picture), ("b.png", picture)]),
        infer({"inputs": [tensor(shape=[1, 16, 16, 3], data=[7] * 768)]}, name),
        *(request("GET", path) for path in paths),
    ]


async def sent(port: int, requests: list[bytes]) -> list[Answer | str]:
    async def one(data: bytes) -> Answer | str:
        try:
            return await asyncio.wait_for(exchange(port, data, stop_after=len(data)), LONGEST_S)
        except TimeoutError:
            return "no answer"

    return await asyncio.gather(*map(one, requests))


def fuzzed(forks: Forks, run, picture: bytes, n: int) -> str:
    fork = forks.start(
        "serve", run, "--port", 0, "--device", "cpu", "--timeout", "1s", "--max-bytes", 1_000_000, stuck_s=3600
    )
    port = listening(fork)
    expected = json.loads(answer(port, picture).body)
    seeds = good_requests(picture, run.name)
    seeds += [bad.data for bad in bad_requests(0, model=run.name, limit=1_000_000) if len(bad.data) < 100_000]
    statuses: dict[int, int] = {}
    for begin in range(0, n, TOGETHER):
        data = [damaged(seeds, number) for number in range(begin, min(n, begin + TOGETHER))]
        for number, got in enumerate(asyncio.run(sent(port, data)), begin):
            assert got != "no answer", f"request {number} hangs"
            assert got.status < 500, f"request {number}: {got}"
            statuses[got.status] = statuses.get(got.status, 0) + 1
        assert fork.lives_for(0) is None, fork.text()
    after = answer(port, picture)
    assert json.loads(after.body)["predictions"][0]["probabilities"] == expected["predictions"][0]["probabilities"]
    assert "Traceback" not in fork.text(), fork.text()
    fork.send(15)
    end = fork.ended(60)
    assert end.code == 0
    shown = ", ".join(f"{count} of {status}" for status, count in sorted(statuses.items()))
    return f"{n} damaged requests: {shown} (0: closed without an answer); at most {end.most_bytes / 2**20:.0f} MiB"


@pytest.mark.slow
def test_damaged_requests_are_answered_below_500(forks, run, pixels):
    fuzzed(forks, run, (pixels / "red" / "00.png").read_bytes(), FEW)


@pytest.mark.slow
@pytest.mark.campaign
def test_many_damaged_requests_are_answered_below_500(forks, run, pixels):
    print(fuzzed(forks, run, (pixels / "red" / "00.png").read_bytes(), tries(MANY)))
