"""The verb export: from a run to one file that runs without glocal, checked on real pictures before it is written."""

import statistics
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.data.options import DataOptions
from glocal.deploying import beside, forms, verify
from glocal.deploying.about import About, Accuracy
from glocal.deploying.exported import NAME, ExportedModel
from glocal.deploying.programs.quantise import CALIBRATION, quantise_onnx, quantise_openvino
from glocal.deploying.runtimes import Form, Precision, has_bf16, has_fast_int8, instructions, open_model, suffix_of
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
    """A model that has not been written yet, with what is known of it. found: its probabilities of the held-out pictures."""

    model: Any  # of ONNX or OpenVINO, or a program of torch.export
    exported: ExportedModel
    core: Any = None  # the network alone in ONNX, where it was made of that
    found: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    lines: tuple[str, ...] = ()

    def tried(self, pictures: Split) -> "Draft":
        """With the probabilities that it gives for the pictures."""
        return replace(self, found=verify.exported_probabilities(self.exported, pictures))


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
    place = settings.output or (folder.path if folder else Path()) / "exports" / f"{to}-{precision}"
    if (file := place / f"{NAME}{suffix_of(to)}").exists():
        raise RunError(f"{file} exists; choose another folder with --output, or remove it")
    model = load_model(weights)
    held_out = _held_out(model, folder, data, settings.pictures)
    expected = verify.torch_probabilities(model, held_out.split, Preprocess.from_json(model.preprocess))
    draft = _checked(model, held_out, expected, settings)
    notes: tuple[str, ...] = ()
    if precision != "fp32":
        draft, notes = _reduced(draft, model, folder, held_out=held_out, expected=expected, settings=settings)
    right, n = int(verify.is_right(draft.found, held_out.split.labels).sum()), len(draft.found)
    accuracy = Accuracy(right / n, count_interval(right, n), n, f"{held_out.source}, {held_out.split_name}")
    about = replace(draft.exported.about, accuracy=accuracy, agreement=draft.lines)
    return _write(draft.model, about, file, notes)


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
    return replace(found, split=found.split.spread(most))


def build(model: Model, settings: ExportSettings, *, resizes: bool, core: Any = None) -> Draft:
    """A file in float32 that has not been written yet. core: the network in ONNX, where it has been made already."""
    preprocess, form = Preprocess.from_json(model.preprocess), settings.to
    if form == "torch":
        whole: Any = forms.torch_program(model, preprocess)
    else:
        core = core or forms.core(model, preprocess)
        whole = (
            forms.with_preparation(core, preprocess, resizes=resizes)
            if form == "onnx"
            else forms.openvino_with_preparation(forms.openvino_core(core), preprocess)
        )
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
    return Draft(whole, ExportedModel(Path(NAME), about, open_model(whole, form)), core)


def _checked(model: Model, held_out: Pictures, expected: np.ndarray, settings: ExportSettings) -> Draft:
    """The file in float32, which predicts what PyTorch predicts; with its own resizing where that does too."""
    draft = build(model, settings, resizes=settings.to == "onnx").tried(held_out.split)
    found = verify.agreement(draft.found, expected)
    if found.changed:
        raise RunError(f"{draft.exported.about.name} was not exported: in {settings.to} it gives {found}")
    lines: tuple[str, ...] = (f"in float32, with pictures resized by Pillow: {found}",)
    if draft.exported.about.resizes:
        own = verify.agreement(verify.own_probabilities(draft.exported, held_out.split), expected)
        preprocess = draft.exported.preprocess
        prepare = open_model(forms.preparing_onnx(preprocess, resizes=True), "onnx")
        levels = verify.grey_levels(held_out.split, prepare, preprocess)
        lines += (f"with the file's own resizing: {own}; {levels}",)
        if own.top1 < verify.LEAST_OWN:
            draft = build(model, settings, resizes=False, core=draft.core).tried(held_out.split)
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
        whole = _int8(draft, run, settings.to)
    else:
        whole, notes = draft.model, _about_bf16()
    about = replace(draft.exported.about, precision=settings.precision)
    run_reduced = open_model(whole, settings.to, bf16=settings.precision == "bf16")
    reduced = Draft(whole, replace(draft.exported, about=about, run=run_reduced)).tried(held_out.split)
    loss = verify.accuracy_loss(reduced.found, expected, held_out.split.labels)
    line = f"in {settings.precision}: {verify.agreement(reduced.found, expected)}; {loss}"
    if 100 * loss.upper > settings.max_loss:
        accepting = np.ceil(1000 * loss.upper) / 10
        raise RunError(
            f"{about.name} was not exported in {settings.precision}: {loss}, where {settings.max_loss} is allowed; the bound "
            f"is narrower with more held-out pictures (--pictures), and --max-loss {accepting:.1f} accepts this one"
        )
    if settings.precision == "int8":
        notes = (_about_int8(draft.exported, reduced.exported),)
    return replace(reduced, lines=(*draft.lines, line)), notes


def _int8(draft: Draft, run: RunFolder, form: Form) -> Any:
    preprocess, pictures = draft.exported.preprocess, run_pictures(run, "train").split.spread(CALIBRATION)
    if form == "onnx":
        quantised, resizes = quantise_onnx(draft.core, pictures, preprocess), draft.exported.about.resizes
        return forms.with_preparation(quantised, preprocess, resizes=resizes)
    network = quantise_openvino(forms.openvino_core(draft.core), pictures, preprocess)
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


def _write(model: Any, about: About, file: Path, notes: tuple[str, ...]) -> Export:
    texts = {
        "README.md": beside.card(about, file=file.name, notes=notes),
        "sample.py": beside.sample(about, file=file.name),
    }
    if not about.resizes:
        texts |= {
            "preprocess.py": beside.preprocess_python(about),
            "preprocess.js": beside.preprocess_javascript(about),
        }
    with whole_files(file.parent, last=file.name) as parts:
        for name, text in texts.items():
            (parts / name).write_text(text, encoding="utf-8")
        forms.write(model, parts / file.name, about)
    return Export(file, tuple(file.parent / name for name in texts), about, notes)
