"""The speed of a network in its deployed form: what is measured is the network, for a batch of any size."""

import numpy as np
import pytest
import torch

import glocal
from glocal.deploying.runtimes import open_file
from glocal.deploying.speed import deployed_speed, write_network

SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return glocal.create_model("cct_2_3x2_32").eval()


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_the_written_network_gives_the_same_logits_for_every_batch(network, form, tmp_path):
    run = open_file(write_network(network, SHAPE, tmp_path, form=form))
    for batch in (1, 3):
        x = torch.randn(batch, *SHAPE)
        with torch.no_grad():
            np.testing.assert_allclose(run(x.numpy()), network(x).numpy(), rtol=1e-4, atol=1e-5)


def test_a_speed_has_ordered_quantiles_and_counts_the_weights(network):
    speed = deployed_speed(network, SHAPE, batch_size=2, threads=1, rounds=4)
    assert 0 < speed.p50_ms <= speed.p95_ms
    assert speed.images_per_s == pytest.approx(2000 / speed.p50_ms)
    weights = 4 * sum(p.numel() for p in network.parameters())
    assert speed.file_bytes > weights
    assert speed.peak_memory_bytes is None or speed.peak_memory_bytes > weights / 2
