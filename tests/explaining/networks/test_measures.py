"""Distances and receptive fields against closed forms, on weights that are made for them."""

import itertools

import numpy as np
import pytest
import torch

from glocal.design import Architecture, Attention, Conv, Flatten, Grid, Linear, Mean, Residual, Stage
from glocal.explaining.attention.places import Positions
from glocal.explaining.networks.measures import attention_distances, mean_distance, receptive_field
from glocal.explaining.subject import subject_of
from glocal.net.network import Network
from strategies import Say


@pytest.mark.parametrize(("h", "w", "size"), [(2, 3, (8, 12)), (5, 4, (20, 20)), (1, 7, (16, 224))])
def test_equal_attention_has_the_mean_distance_of_the_grid(h, w, size):
    positions = Positions(h, w, 1)
    uniform = torch.full((2, 3, positions.n, positions.n), 1 / positions.n, dtype=torch.float64)
    points = [(i * size[0] / h, j * size[1] / w) for i, j in itertools.product(range(h), range(w))]
    expected = np.mean([np.hypot(a[0] - b[0], a[1] - b[1]) for a in points for b in points])
    torch.testing.assert_close(mean_distance(uniform, positions, size), torch.full((3,), expected, dtype=torch.float64))


def test_attention_to_itself_has_no_distance_and_a_shift_has_its_own():
    positions = Positions(4, 5)
    assert mean_distance(torch.eye(20)[None, None], positions, (16, 20)) == 0
    shifted = torch.eye(20).view(20, 4, 5).roll(1, 1).view(20, 20)
    # three of four rows go one row of 4 px down, the last goes three rows up
    assert mean_distance(shifted[None, None], positions, (16, 20)) == pytest.approx((3 * 4 + 12) / 4)


def test_a_network_without_queries_attends_equally():
    attend = Say((Residual((Attention(2, 4, 8),)),))
    arch = Architecture(
        "made", (Conv(8, 2, 2, padding=0), Flatten()), (Stage(8, (attend,)),), (Mean(), Linear(2)), image=Grid(3, 8, 12)
    )
    network = Network(arch)
    with torch.no_grad():
        network.get_submodule("stages.0.blocks.0.residual1.branch.attention1").qkv.weight[:16] = 0
        network.get_submodule("stages.0.blocks.0.residual1.branch.attention1").qkv.bias[:16] = 0
    (found,) = attention_distances(subject_of(network), torch.randn(3, 3, 8, 12))
    assert found.pixels == pytest.approx((found.uniform, found.uniform))


@pytest.mark.parametrize(("kernel", "depth"), [(3, 1), (3, 4), (5, 2), (7, 3)])
def test_convolutions_of_ones_have_the_field_of_repeated_sums(kernel, depth):
    arch = Architecture("made", (Conv(1, kernel, bias=False),) * depth, (), (Mean(), Linear(2)), image=Grid(1, 41, 41))
    network = Network(arch)
    with torch.no_grad():
        for parameter in network.stem.parameters():
            parameter.fill_(1)
    subject = subject_of(network)
    found = receptive_field(subject, subject.places[0], torch.randn(2, 1, 41, 41))
    line = np.ones(1)
    for _ in range(depth):
        line = np.convolve(line, np.ones(kernel))
    side = depth * (kernel - 1) + 1
    expected = np.zeros((41, 41))
    expected[20 - side // 2 : 21 + side // 2, 20 - side // 2 : 21 + side // 2] = np.outer(line, line)
    np.testing.assert_allclose(found.gradient, expected / expected.sum(), rtol=1e-6, atol=1e-12)
    assert found.reach == (side, side)
    # of a square of ones, the smallest centred square with 90 % has the first odd side whose area is enough
    squares = [line[side // 2 - r : side // 2 + r + 1].sum() ** 2 / line.sum() ** 2 for r in range(side // 2 + 1)]
    assert found.effective == 2 * next(r for r, held in enumerate(squares) if held >= 0.9) + 1
