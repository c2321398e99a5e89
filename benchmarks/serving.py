"""How `glocal serve` behaves under load and under bad requests: lost and wrong answers, latency, throughput, memory.

    python benchmarks/serving.py [PICTURES] [--network convnext_tiny] [--side 224] [--seconds 30] [--parts load,bad]

A network with random weights is served as a process of its own with one thread of arithmetic, so that on two cores the other
one is left for HTTP, decoding and the clients, which run in this process. PICTURES is a folder of pictures; without it 64 JPEGs
of 500 x 375 are made.

load: each client sends one picture, waits for the answer, and sends the next. An answer is wrong where a probability differs by
more than 1e-5 from that of `glocal predict`, or the most probable class does although it leads by more. The bare network
computes batches of --max-batch with as many threads, before and after. Where other work shares the machine, the processor time of
a picture is steadier than rates: that of the server is the network's and all of HTTP, decoding and queueing.
memory: resident memory of the server after 1,000 requests, and after so many more (--requests).
bad: requests of tests/serving/bad_requests.py, drawn anew with each seed, some with 100 MB; each needs a status from 400 to 499
and a reason, and the server must answer good requests afterwards.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import glocal
from glocal.data import Preprocess
from glocal.data.batches.preprocess import IMAGENET_MEAN, IMAGENET_STD
from glocal.evaluation.predict import Predictor
from glocal.machine.threads import threads
from glocal.weights import Model, save_model
from serving.bad_requests import Bad, bad_requests, complaint
from serving.client import Answer, exchange, picture_request, read_answer
from serving.process import Running, serving

TOLERANCE = 1e-5
LIMIT = 20_000_000  # the server's --max-bytes


@dataclass
class Load:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)  # of each answer
    lost: int = 0
    wrong: int = 0
    first_wrong: str = ""
    wall_s: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall_s


@dataclass(frozen=True)
class Sample:
    """A picture as a request, and the probabilities of `glocal predict`."""

    request: bytes
    expected: dict[str, float]

    def fault(self, answer: Answer) -> str:
        """What is wrong with an answer; empty where nothing is."""
        (got,) = json.loads(answer.body)["predictions"]
        off = max(abs(p - self.expected[name]) for name, p in got["probabilities"].items())
        first, second = sorted(self.expected.values(), reverse=True)[:2]
        best = max(self.expected, key=self.expected.__getitem__)
        if off > TOLERANCE or (got["predicted"] != [best] and first - second > TOLERANCE):
            return f"{got['predicted']} for {best}, {off:.1e} off"
        return ""


def make_weights(path: Path, name: str, side: int) -> None:
    torch.manual_seed(0)
    network = glocal.create_model(name, num_classes=10, img_size=side)
    with torch.no_grad():
        for p in network.get_classifier().parameters():
            p.normal_(std=0.5)  # so that pictures differ in their most probable class
    preprocess = Preprocess((side, side), mean=IMAGENET_MEAN, std=IMAGENET_STD).to_json()
    save_model(path, Model(network, tuple(f"class {i}" for i in range(10)), preprocess))


def make_pictures(folder: Path, n: int = 64) -> None:
    rng = np.random.default_rng(0)
    for i in range(n):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8)).resize(
            (500, 375), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(coarse) + rng.normal(0, 8, (375, 500, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02}.jpg", quality=90)


def samples(predictor: Predictor, folder: Path) -> list[Sample]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = paths[:: max(1, len(paths) // 64)][:64]
    predictions = predictor.predictions(paths, batch_size=16)
    kinds = {".png": "image/png"}
    return [
        Sample(
            picture_request(path.read_bytes(), "/predict?top=5", kinds.get(path.suffix, "image/jpeg")),
            dict(p.probabilities),
        )
        for path, p in zip(paths, predictions, strict=True)
    ]


async def client(port: int, order: Iterator[Sample], load: Load) -> None:
    """Sends one request after the other on one connection, for as long as there are samples."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for sample in order:
        start = time.perf_counter()
        writer.write(sample.request)
        answer = await read_answer(reader)
        if answer.status != 200:
            load.lost += 1
            if not answer.status:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        load.seconds.append(time.perf_counter() - start)
        if fault := sample.fault(answer):
            load.wrong += 1
            load.first_wrong = load.first_wrong or fault
    writer.close()


def endless(every: Sequence[Sample], *, until: float | None = None, n: int | None = None) -> Iterator[Sample]:
    """Samples in turn, until a time or for a number of requests."""
    i = 0
    while (until is None or time.perf_counter() < until) and (n is None or i < n):
        yield every[i % len(every)]
        i += 1


async def put_load(port: int, clients: int, order: Iterator[Sample]) -> Load:
    load, start = Load(), time.perf_counter()
    await asyncio.gather(*(client(port, order, load) for _ in range(clients)))
    load.wall_s = time.perf_counter() - start
    return load


def bare_rate(predictor: Predictor, batch: int, seconds: float) -> tuple[float, float]:
    """Pictures a second of the network alone, on one thread, and the processor's seconds of a picture."""
    size = predictor.preprocess.size
    x = np.random.default_rng(0).integers(0, 255, (batch, 3, *size), np.uint8)
    with threads(1):
        predictor.probabilities(x)
        start, used, n = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < seconds:
            predictor.probabilities(x)
            n += batch
        return n / (time.perf_counter() - start), (time.process_time() - used) / n


def batches(port: int) -> tuple[float, float]:
    """How many pictures and batches the server has computed."""
    text = asyncio.run(exchange(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).body.decode()
    value = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if not line.startswith("#")}
    return value["glocal_batch_size_sum"], value["glocal_batch_size_count"]


def measure_load(weights: Path, predictor: Predictor, every: list[Sample], options: argparse.Namespace) -> None:
    before, cpu = bare_rate(predictor, options.max_batch, 5)
    with serve(weights, options) as server:
        asyncio.run(put_load(server.port, 8, endless(every, n=64)))
        pictures, count = batches(server.port)
        until, start = time.perf_counter() + options.seconds, server.processor_s()
        load = asyncio.run(put_load(server.port, options.clients, endless(every, until=until)))
        used = server.processor_s() - start
        all_pictures, all_count = batches(server.port)
        batch = (all_pictures - pictures) / (all_count - count)
    after, cpu_after = bare_rate(predictor, options.max_batch, 5)
    cuts = quantiles(load.seconds, n=100)
    p50, p99, bare = cuts[49], cuts[98], mean((before, after))
    print(f"load: {options.clients} clients, {options.seconds} s, {len(load.seconds):,} answers")
    print(f"  {load.lost} lost, {load.wrong} wrong {load.first_wrong}")
    print(f"  p50 {1000 * p50:,.0f} ms, p99 {1000 * p99:,.0f} ms, ratio {p99 / p50:.2f}; batch {batch:.1f} on average")
    print(f"  {load.rate:.1f} images/s; bare {before:.1f} before and {after:.1f} after: {load.rate / bare:.3f} of it")
    ms = [1000 * seconds for seconds in (used / len(load.seconds), cpu, cpu_after)]
    print(
        f"  processor time of a picture: server {ms[0]:.1f} ms, bare network {ms[1]:.1f} ms before and {ms[2]:.1f} ms after"
    )


def measure_memory(weights: Path, every: list[Sample], options: argparse.Namespace) -> None:
    with serve(weights, options) as server:
        asyncio.run(put_load(server.port, 50, endless(every, n=1000)))
        first = server.memory_bytes()
        load = asyncio.run(put_load(server.port, 50, endless(every, n=options.requests)))
        last = server.memory_bytes()
    print(
        f"memory: {first / 2**20:.0f} MiB after 1,000 requests, {last / 2**20:.0f} MiB after {options.requests:,} more "
        f"({last / first - 1:+.1%}), {load.lost} lost, {load.wrong} wrong"
    )


def measure_bad(weights: Path, every: list[Sample], options: argparse.Namespace) -> None:
    bad: list[Bad] = []
    with serve(weights, options, "--timeout", "5s", "--max-bytes", LIMIT) as server:
        seed = 0
        while len(bad) < options.bad:
            bad += bad_requests(seed, model=server.name, limit=100_000_000 if seed < 5 else LIMIT)
            seed += 1
        bad = bad[: options.bad]
        answers = asyncio.run(send_all(server.port, bad))
        good = asyncio.run(put_load(server.port, 4, endless(every, n=64)))
    pairs = zip(bad, answers, strict=True)
    faults = [text for each, answer in pairs if (text := complaint(each, answer.status, answer.body))]
    statuses = dict(sorted(Counter(answer.status for answer in answers).items()))
    print(f"bad: {len(bad):,} requests of {len({each.kind for each in bad})} kinds, statuses {statuses}")
    print(f"  {len(faults)} not as they should be; afterwards {good.lost} of 64 good ones lost, {good.wrong} wrong")
    for text in faults[:10]:
        print(f"  {text}")


async def send_all(port: int, bad: list[Bad], at_once: int = 20) -> list[Answer]:
    gate = asyncio.Semaphore(at_once)

    async def send(each: Bad) -> Answer:
        async with gate:
            return await exchange(port, each.data, stop_after=each.stop_after)

    return await asyncio.gather(*map(send, bad))


@contextmanager
def serve(weights: Path, options: argparse.Namespace, *more: object) -> Iterator[Running]:
    words = ("--port", 0, "--device", "cpu", "--threads", 1, "--max-batch", options.max_batch, *more)
    with serving(weights, *words) as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="?", type=Path)
    parser.add_argument("--network", default="convnext_tiny")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--max-batch", type=int, default=16)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--bad", type=int, default=1000)
    parser.add_argument("--parts", default="load,memory,bad")
    options = parser.parse_args()
    print(f"{options.network} at {options.side}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / f"{options.network}.safetensors"
        make_weights(weights, options.network, options.side)
        made = Path(folder) / "pictures"
        made.mkdir()
        if options.pictures is None:
            make_pictures(made)
        predictor = Predictor.load(weights, device="cpu")
        every = samples(predictor, options.pictures or made)
        if "load" in options.parts:
            measure_load(weights, predictor, every, options)
        if "memory" in options.parts:
            measure_memory(weights, every, options)
        if "bad" in options.parts:
            measure_bad(weights, every, options)
    print(f"load average {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
