"""Batches: as large as allowed, as early as allowed, in order, and bounded in number."""

import asyncio
import json
import threading

import numpy as np
import pytest

from glocal.serving import app
from glocal.serving.batching import Batcher
from glocal.serving.settings import ServeSettings
from serving.client import exchange, form_request, picture_request, read_answer
from serving.conftest import in_thread


def doubled(x_BCHW):
    return x_BCHW.reshape(len(x_BCHW), -1).astype(np.float32) * 2


def numbers(values):
    return [np.full((1, 1, 1), value, np.uint8) for value in values]


def run(work, *, compute=doubled, max_batch=4, max_wait_s=0.01):
    sizes = []

    async def main():
        batcher = Batcher(compute, max_batch=max_batch, max_wait_s=max_wait_s, observe=lambda n, s: sizes.append(n))
        try:
            return await work(batcher)
        finally:
            await batcher.close()

    return asyncio.run(main()), sizes


@pytest.mark.parametrize("calls", [[1], [3, 1], [4, 4], [9], [1] * 11, [2, 5, 2]])
def test_every_picture_gets_its_own_row_and_no_batch_is_too_large(calls):
    async def work(batcher):
        values, waiting = iter(range(100)), []
        for n in calls:
            waiting += batcher.submit(numbers(next(values) for _ in range(n)))
        return [float(row[0]) for row in await asyncio.gather(*waiting)]

    rows, sizes = run(work)
    assert rows == [2.0 * i for i in range(sum(calls))]
    assert sum(sizes) == sum(calls)
    assert max(sizes) <= 4
    assert len(sizes) == -(-sum(calls) // 4)


def test_a_full_batch_does_not_wait():
    async def work(batcher):
        return await asyncio.wait_for(asyncio.gather(*batcher.submit(numbers(range(4)))), 60)

    assert run(work, max_wait_s=1e6)[1] == [4]


def test_pictures_whose_requests_have_gone_are_not_computed():
    async def work(batcher):
        gone, stays = batcher.submit(numbers([1])), batcher.submit(numbers([2]))
        gone[0].cancel()
        return (await stays[0])[0]

    assert run(work) == (4.0, [1])


def test_an_error_of_the_network_ends_its_batch_alone():
    def compute(x):
        if x.max() == 9:
            raise ValueError("nine")
        return doubled(x)

    async def work(batcher):
        results = await asyncio.gather(*batcher.submit(numbers([9, 1, 2, 3, 4])), return_exceptions=True)
        return [type(each) for each in results]

    assert run(work, compute=compute)[0] == [ValueError] * 4 + [np.ndarray]


class Gated:
    """A model that computes nothing until it is allowed to."""

    multi_label = False

    def __init__(self, predictor):
        self.classes, self.preprocess = predictor.classes, predictor.preprocess
        self.resize = predictor.resize
        self.gate, self.computed = threading.Event(), 0
        self._predictor = predictor

    def probabilities(self, x_BCHW):
        assert self.gate.wait(60)
        self.computed += len(x_BCHW)
        return self._predictor.probabilities(x_BCHW)


async def wait_for_metric(port, line):
    """Returns when the metrics have this line."""
    while line not in (await exchange(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).body.decode().splitlines():
        await asyncio.sleep(0.01)


def test_a_full_queue_is_429_with_a_time_to_try_again_and_what_was_taken_is_answered(predictor, png):
    model, settings = Gated(predictor), ServeSettings(max_batch=2, max_queue=5, max_pictures=5)

    async def main(port):
        taken = [asyncio.create_task(exchange(port, picture_request(png))) for _ in range(4)]
        await wait_for_metric(port, "glocal_queue_pictures 4.0")
        refused = await exchange(port, form_request("/predict", [("a", png), ("b", png)]))
        model.gate.set()
        return refused, await asyncio.gather(*taken), await exchange(port, picture_request(png))

    with in_thread(app(model, settings=settings), settings) as port:
        refused, taken, later = asyncio.run(main(port))
    assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (429, True)
    assert "4 pictures are before these" in json.loads(refused.body)["error"]
    assert [each.status for each in (*taken, later)] == [200] * 5


def test_a_client_that_goes_away_is_not_computed_for(predictor, png):
    model, settings = Gated(predictor), ServeSettings(max_batch=1)

    async def main(port):
        first = asyncio.create_task(exchange(port, picture_request(png)))
        await wait_for_metric(port, "glocal_queue_pictures 1.0")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(picture_request(png))
        await wait_for_metric(port, "glocal_queue_pictures 2.0")
        writer.close()
        await wait_for_metric(port, "glocal_queue_pictures 1.0")
        model.gate.set()
        return await first

    with in_thread(app(model, settings=settings), settings) as port:
        assert asyncio.run(main(port)).status == 200
    assert model.computed == 1


def test_bodies_that_memory_has_no_room_for_are_429(predictor, png):
    settings = ServeSettings(max_bytes=1000, max_memory=1500)

    async def main(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head, body = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(png), png
        writer.write(head + body[:-1])
        await wait_for_metric(port, f"glocal_body_bytes {len(png) - 1}.0")
        refused = await exchange(port, picture_request(png))
        writer.write(body[-1:])
        first = await read_answer(reader)
        writer.close()
        return first, refused

    assert 750 < len(png) < 1000
    with in_thread(app(predictor, settings=settings), settings) as port:
        first, refused = asyncio.run(main(port))
    assert (first.status, refused.status, "retry-after" in refused.headers) == (200, 429, True)
