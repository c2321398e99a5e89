"""Two hundred clients at a time: no answer is lost, and each is that of `glocal predict`."""

import asyncio
import json

import numpy as np

from serving.client import picture_request, read_answer

CLIENTS, EACH = 200, 3


async def client(port, requests):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for request in requests:
        writer.write(request)
        answers.append(await read_answer(reader))
    writer.close()
    return answers


def test_no_answer_is_lost_or_wrong(port, predictor, pictures):
    expected = [list(p.probabilities.values()) for p in predictor.predictions(pictures)]
    requests = [picture_request(path.read_bytes()) for path in pictures]
    order = np.random.default_rng(0).integers(len(pictures), size=(CLIENTS, EACH))

    async def load():
        return await asyncio.gather(*(client(port, [requests[i] for i in row]) for row in order))

    for row, answers in zip(order, asyncio.run(load()), strict=True):
        assert [answer.status for answer in answers] == [200] * EACH
        for i, answer in zip(row, answers, strict=True):
            got = json.loads(answer.body)["predictions"][0]["probabilities"]
            assert np.allclose([*got.values()], expected[i], rtol=0, atol=1e-5)
