"""The verb export: from a run to one file that runs without glocal, checked on real pictures before it is written."""

import statistics
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data.batches.preprocess import Preprocess
from glocal.data.options import DataOptions
from glocal.deploying import beside, forms, verify
from glocal.deploying.about import About, Accuracy
from glocal.deploying.exported import NAME, ExportedModel
from glocal.deploying.programs.quantise import calibration_split, quantise_onnx, quantise_openvino
from glocal.deploying.runtimes import (
    SUFFIXES,
    Form,
    Precision,
    has_bf16,
    has_fast_int8,
    instructions,
    open_model,
)
from glocal.deploying.settings import ExportSettings
from glocal.errors import RecipeError, RunError
from glocal.evaluation.evaluate import find_run_weights
from glocal.evaluation.pictures import Pictures, run_pictures, source_pictures
from glocal.files import whole_files
from glocal.intervals import count_interval
from glocal.net.timing.latency import measure_calls
from glocal.settings import merge
from glocal.weights import Model, load_model
from glocal.weights.networks.any_network import to_plain


@dataclass(frozen=True)
class Export:
    """What was written: the file, what lies beside it, and what the file says of itself."""

    file: Path
    beside: tuple[Path, ...]
    about: About
    notes: tuple[str, ...]  # about this processor, as sentences


@dataclass(frozen=True)
class Draft:
    """A model that has not been written yet, with what is known of it."""

    model: Any  # of ONNX or OpenVINO, or a program of torch.export
    exported: ExportedModel
    lines: tuple[str, ...] = ()


def export(
    run: str | Path,
    data: str | Path | None = None,
    *,
    to: Form = "onnx",
    precision: Precision = "fp32",
    output: str | Path | None = None,
    max_loss: float = 0.3,
    pictures: int = 2000,
    licence: str | None = None,
) -> Export:
    """Writes a run's best weights, or a file of weights, as one file with preprocessing, labels and calibrated probabilities.

    data: pictures with labels to check the file on; by default the run's own validation pictures, of which `pictures` are taken.
    max_loss: points of accuracy that int8 and bf16 may lose at most, with 95 % confidence.
    RunError where the file would not predict what PyTorch predicts, or would lose more than that; then nothing is written.
    """
    changes = {"to": to, "precision": precision, "output": output, "max_loss": max_loss}
    settings = merge(ExportSettings(), {**changes, "pictures": pictures, "licence": licence})
    _raise_unsupported(settings)
    weights, folder = find_run_weights(run)
    if folder is None and (data is None or settings.output is None or precision == "int8"):
        raise RunError(
            f"{weights} lies in no run's folder: name labelled pictures to check the file on, and --output FOLDER; int8 needs "
            "the training pictures of a run"
        )
    model = load_model(weights)
    held_out = _held_out(model, folder, data, settings.pictures)
    expected = verify.torch_probabilities(model, held_out.split, Preprocess.from_json(model.preprocess))
    draft = _checked(model, held_out, expected, settings)
    notes: tuple[str, ...] = ()
    if precision != "fp32":
        draft, notes = _reduced(draft, model, folder, held_out=held_out, expected=expected, settings=settings)
    found = verify.exported_probabilities(draft.exported, held_out.split)
    right, n = int(verify.is_right(found, held_out.split.labels).sum()), len(found)
    accuracy = Accuracy(right / n, count_interval(right, n), n, f"{held_out.source}, {held_out.split_name}")
    about = replace(draft.exported.about, accuracy=accuracy, agreement=draft.lines)
    place = settings.output or (folder.path if folder else Path()) / "exports" / f"{to}-{precision}"
    return _write(replace(draft, exported=replace(draft.exported, about=about)), place, notes)


def _raise_unsupported(settings: ExportSettings) -> None:
    if settings.precision == "bf16" and settings.to != "openvino":
        raise RecipeError("bf16 is computed by OpenVINO alone among these runtimes: --to openvino --precision bf16")
    if settings.precision == "int8" and settings.to == "torch":
        raise RecipeError("int8 is written for onnx and openvino: --to onnx --precision int8")


def _held_out(model: Model, run: RunFolder | None, data: str | Path | None, most: int) -> Pictures:
    """Pictures that the network was not trained on, evenly spread over all that there are."""
    if data is not None:
        found = source_pictures(data, None, model=model, options=DataOptions())
    else:
        assert run
        found = run_pictures(run, "val")
    n = len(found.split)
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
    return replace(found, split=found.split.taken(chosen))


def build(model: Model, settings: ExportSettings, *, resizes: bool, core: Any = None) -> Draft:
    """A file in float32 that has not been written yet. core: the network in ONNX, where it has been made already."""
    preprocess, form = Preprocess.from_json(model.preprocess), settings.to
    if form == "torch":
        whole: Any = forms.torch_program(model, preprocess)
    elif form == "onnx":
        whole = forms.with_preparation(core or forms.core(model, preprocess), preprocess, resizes=resizes)
    else:
        network = forms.openvino_core(core or forms.core(model, preprocess))
        whole = forms.openvino_with_preparation(network, preprocess)
    arch = model.network.arch
    about = About(
        name=arch.name,
        architecture=to_plain(arch),
        classes=model.classes,
        preprocess=preprocess.to_json(),
        form=form,
        precision="fp32",
        resizes=resizes,
        temperature=model.temperature,
        multi_label=model.multi_label,
        licence=settings.licence,
        accuracy=None,
        agreement=(),
        glocal_version=metadata.version("glocal"),
    )
    return Draft(whole, ExportedModel(Path(NAME), about, open_model(whole, form)))


def _checked(model: Model, held_out: Pictures, expected: np.ndarray, settings: ExportSettings) -> Draft:
    """The file in float32, which predicts what PyTorch predicts; with its own resizing where that does too."""
    preprocess = Preprocess.from_json(model.preprocess)
    core = None if settings.to == "torch" else forms.core(model, preprocess)
    draft = build(model, settings, resizes=settings.to == "onnx", core=core)
    found = verify.agreement(verify.exported_probabilities(draft.exported, held_out.split), expected)
    if found.changed:
        raise RunError(f"{draft.exported.about.name} was not exported: in {settings.to} it gives {found}")
    lines: tuple[str, ...] = (f"in float32, with pictures resized by Pillow: {found}",)
    if draft.exported.about.resizes:
        own = verify.agreement(verify.own_probabilities(draft.exported, held_out.split), expected)
        prepare = open_model(forms.preparing_onnx(preprocess, resizes=True), "onnx")
        levels = verify.grey_levels(held_out.split, prepare, preprocess)
        lines += (f"with the file's own resizing: {own}; {levels}",)
        if own.top1 < verify.LEAST_OWN:
            draft = build(model, settings, resizes=False, core=core)
            lines += (f"that is less than {verify.LEAST_OWN:.1%}, so the file takes pictures that were resized before",)
    return replace(draft, lines=lines)


def _reduced(
    draft: Draft,
    model: Model,
    run: RunFolder | None,
    *,
    held_out: Pictures,
    expected: np.ndarray,
    settings: ExportSettings,
) -> tuple[Draft, tuple[str, ...]]:
    """The file in int8 or bf16, and what to know about it on this processor. RunError where it may lose too much accuracy."""
    notes: tuple[str, ...] = ()
    if settings.precision == "int8":
        assert run
        whole = _int8(draft, model, run, settings.to)
    else:
        whole, notes = draft.model, _about_bf16()
    about = replace(draft.exported.about, precision=settings.precision)
    exported = replace(
        draft.exported, about=about, run=open_model(whole, settings.to, bf16=settings.precision == "bf16")
    )
    found = verify.exported_probabilities(exported, held_out.split)
    loss = verify.accuracy_loss(found, expected, held_out.split.labels)
    lines = (f"in {settings.precision}: {verify.agreement(found, expected)}; {loss}",)
    if 100 * loss.upper > settings.max_loss:
        accepting = np.ceil(1000 * loss.upper) / 10
        raise RunError(
            f"{about.name} was not exported in {settings.precision}: {loss}, where {settings.max_loss} is allowed; the bound "
            f"is narrower with more held-out pictures (--pictures), and --max-loss {accepting:.1f} accepts this one"
        )
    if settings.precision == "int8":
        notes = (_about_int8(draft.exported, exported),)
    return Draft(whole, exported, draft.lines + lines), notes


def _int8(draft: Draft, model: Model, run: RunFolder, form: Form) -> Any:
    preprocess = Preprocess.from_json(model.preprocess)
    pictures, core = calibration_split(run_pictures(run, "train").split), forms.core(model, preprocess)
    if form == "onnx":
        quantised, resizes = quantise_onnx(core, pictures, preprocess), draft.exported.about.resizes
        return forms.with_preparation(quantised, preprocess, resizes=resizes)
    network = quantise_openvino(forms.openvino_core(core), pictures, preprocess)
    return forms.openvino_with_preparation(network, preprocess)


def _about_bf16() -> tuple[str, ...]:
    if has_bf16():
        return ()
    return (
        f"this processor ({', '.join(instructions())}) has no bfloat16, so OpenVINO computed in float32: what bf16 changes was "
        "not measured",
    )


def _about_int8(before: ExportedModel, after: ExportedModel) -> str:
    """How fast int8 is beside float32 on this processor, in turns, one picture a pass."""
    picture = np.zeros((1, *before.preprocess.size, 3), np.uint8)
    calls = {name: partial(each.run, picture) for name, each in (("fp32", before), ("int8", after))}
    taken = measure_calls(calls, device=torch.device("cpu"), rounds=30, warmup=3, bf16=False)
    ratio = statistics.median(taken["fp32"]) / statistics.median(taken["int8"])
    has = "has" if has_fast_int8() else "has no"
    return f"on this processor, which {has} instructions for int8, it is {ratio:.2f} times as fast as float32"


def _write(draft: Draft, folder: Path, notes: tuple[str, ...]) -> Export:
    about = draft.exported.about
    suffix = next(suffix for suffix, form in SUFFIXES.items() if form == about.form)
    file = folder / f"{NAME}{suffix}"
    if file.exists():
        raise RunError(f"{file} exists; choose another folder with --output, or remove it")
    texts = {
        "README.md": beside.card(about, file=file.name, notes=notes),
        "sample.py": beside.sample(about, file=file.name),
    }
    if not about.resizes:
        texts |= {
            "preprocess.py": beside.preprocess_python(about),
            "preprocess.js": beside.preprocess_javascript(about),
        }
    with whole_files(folder, last=file.name) as parts:
        for name, text in texts.items():
            (parts / name).write_text(text, encoding="utf-8")
        forms.write(draft.model, parts / file.name, about)
    return Export(file, tuple(folder / name for name in texts), about, notes)
