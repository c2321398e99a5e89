"""Whatever is sent, the answer is a status below 500 with a reason, and the server goes on as before."""

import asyncio
import json

import pytest

from glocal.serving import app
from glocal.settings import merge
from sampled import but_slow
from serving.bad_requests import bad_requests, complaint
from serving.client import exchange, picture_request
from serving.conftest import SMALL, in_thread

BAD = bad_requests(0, model="small", limit=1_000_000)


def answers_to(bad, port):
    async def send():
        return await asyncio.gather(*(exchange(port, each.data, stop_after=each.stop_after) for each in bad))

    return list(zip(bad, asyncio.run(send()), strict=True))


@pytest.fixture(scope="module", params=but_slow([8, 1], [1]), ids=["every eighth", "all"])
def answers(request, port, predictor):
    """Those of silent senders come from a server that gives up soon, the others from one that waits on a slow machine too."""
    bad = BAD[:: request.param]
    impatient = merge(SMALL, {"timeout_s": 1.0})
    with in_thread(app(predictor, name="small", settings=impatient), impatient) as other:
        silent = answers_to([each for each in bad if each.stop_after is not None], other)
    return silent + answers_to([each for each in bad if each.stop_after is None], port)


def test_every_bad_request_is_refused_with_a_reason(answers):
    assert not [text for bad, answer in answers if (text := complaint(bad, answer.status, answer.body))]


def test_the_server_answers_afterwards(answers, port, png):
    answer = asyncio.run(exchange(port, picture_request(png)))
    assert answer.status == 200
    assert json.loads(answer.body)["predictions"][0]["predicted"]
