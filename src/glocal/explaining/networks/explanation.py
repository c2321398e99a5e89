"""Explains whole networks: how local and how global they are with their weights, one alone or two side by side."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from glocal.artifacts.run_folder import RunFolder
from glocal.data import decode
from glocal.data.batches.preprocess import Preprocess
from glocal.evaluation.picture_paths import picture_paths
from glocal.evaluation.predict import Predictor
from glocal.explaining.attention.rollout import why_no_attention
from glocal.explaining.networks.figures import draw_distances, draw_fields, draw_similarity, draw_weights
from glocal.explaining.networks.measures import HeadDistances, ReceptiveField, attention_distances, receptive_fields
from glocal.explaining.networks.weight_pictures import depthwise_kernels, offset_tables, position_similarity
from glocal.explaining.overlays import network_input
from glocal.explaining.page import write_network_page
from glocal.explaining.pastes import scrambled
from glocal.explaining.results import NetworkExplanation
from glocal.explaining.subject import Subject, subject_of
from glocal.files import write_whole

_NOISE = 8  # pictures of noise where none are named


def explain_network(
    weights: str | Path,
    pictures: str | Path | Iterable[str | Path] = (),
    *,
    against: str | Path | None = None,
    output: str | Path | None = None,
) -> tuple[NetworkExplanation, ...]:
    """How local and how global a run's network is, and a second one beside it; writes network.html, network.json and PNG files.

    weights, against: runs' folders, whose best weights are taken, or files of weights.
    pictures: as for `predict`; without any, coloured noise that has the spectrum of photographs.
    output: folder to write; by default `network` in the run's folder, or beside the file.
    """
    names = [*picture_paths([pictures] if isinstance(pictures, str | Path) else pictures)]
    found, beside = [], None
    for each in (weights,) if against is None else (weights, against):
        predictor = Predictor.load(each, device="cpu")
        beside = beside or (predictor.run.path if predictor.run is not None else predictor.file.parent)
        preprocess = Preprocess.from_json(predictor.model.preprocess)
        inputs = [network_input(decode(name), preprocess) for name in names] or [*noise(preprocess)]
        what = f"{len(names)} picture{'s' * (len(names) != 1)}" if names else f"{_NOISE} pictures of noise"
        found.append(measured(predictor.model.network, torch.cat(inputs), pictures=what))
    assert beside is not None
    folder = RunFolder.claim(Path(output) if output else beside / "network").path
    for i, explanation in enumerate(found):
        for title, pixels in explanation.figures.items():
            stem = re.sub(r"\W+", "-", f"{i}-{explanation.name}-{title}".lower())
            write_whole(folder / f"{stem}.png", pixels)
    write_whole(folder / "network.json", json.dumps([each.to_json() for each in found], indent=1).encode())
    page = write_network_page(found, folder / "network.html")
    return tuple(replace(each, page=page) for each in found)


def noise(preprocess: Preprocess) -> Iterable[Tensor]:
    """Inputs without objects: noise whose amplitude falls with the frequency, as that of photographs does."""
    rng = np.random.default_rng(0)
    h, w = preprocess.size
    y, x = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)
    amplitude = np.fft.irfft2(1 / np.maximum(np.hypot(y, x), 1 / max(h, w)), s=(h, w))
    grey = 128 + 45 * amplitude / max(amplitude.std(), 1e-9)
    for _ in range(_NOISE):
        picture = scrambled(np.repeat(grey[:, :, None], 3, axis=2), rng)
        yield network_input(picture, preprocess)


def measured(network: nn.Module, x_BCHW: Tensor, *, pictures: str) -> NetworkExplanation:
    """All measures of a network of glocal or timm on normalised pictures BCHW."""
    subject = subject_of(network, (x_BCHW.shape[2], x_BCHW.shape[3]))
    distances, fields = attention_distances(subject, x_BCHW), receptive_fields(subject, x_BCHW)
    figures = {**_measured_figures(subject, distances, fields), **_weight_figures(subject)}
    reason = why_no_attention(subject)
    return NetworkExplanation(subject.name, subject.size, pictures, tuple(distances), tuple(fields), figures, reason)


def _measured_figures(
    subject: Subject, distances: list[HeadDistances], fields: list[ReceptiveField]
) -> dict[str, bytes]:
    figures = {"Mean attention distance": draw_distances(distances, subject.size)} if distances else {}
    return {**figures, "Effective receptive field": draw_fields(fields)}


def _weight_figures(subject: Subject) -> dict[str, bytes]:
    figures = {}
    if tables := offset_tables(subject):
        figures["Tables of relative offsets"] = draw_weights(tables, signed=True)
    if positions := position_similarity(subject):
        figures["Similarity of positions"] = draw_similarity(positions[0])
    if kernels := depthwise_kernels(subject):
        figures["Depthwise kernels"] = draw_weights(kernels, signed=True)
    return figures
