"""Whether exported files predict what PyTorch predicts, family by family, on real pictures that no network was trained on.

    glocal study glocal.families PHOTOS --scale tiny --epochs 3 --seeds 2 --output /tmp --name families
    python benchmarks/agreement.py /tmp/families PHOTOS

Takes the first run of each arm of a study and makes its file in every form, as `glocal export` does before it writes one. Prints
for each how many predictions are PyTorch's and the largest difference of a probability; for ONNX also what the file's own
resizing changes, beside Pillow's: predictions, values of pixels, and the largest difference in grey levels of 255.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Preprocess
from glocal.data.options import DataOptions
from glocal.deploying import forms, verify
from glocal.deploying.export import build
from glocal.deploying.runtimes import Form, open_model
from glocal.deploying.settings import ExportSettings
from glocal.evaluation.pictures import source_pictures
from glocal.weights import load_model

FORMS: tuple[Form, ...] = ("onnx", "openvino", "torch")


def rows(weights: Path, source: str, *, most: int) -> Iterator[str]:
    """The rows of a network, one for each form."""
    model = load_model(weights)
    preprocess = Preprocess.from_json(model.preprocess)
    split = source_pictures(source, None, model=model, options=DataOptions()).split.spread(most)
    expected = verify.torch_probabilities(model, split, preprocess)
    right = verify.is_right(expected, split.labels).mean()
    core = None
    for form in FORMS:
        draft = build(model, ExportSettings(to=form), resizes=form == "onnx", core=core)
        core = core or draft.core
        found = verify.agreement(verify.exported_probabilities(draft.exported, split), expected)
        cells = [f"`{draft.exported.about.name}`", f"{right:.1%}", form, *_cells(found), "", "", ""]
        if form == "onnx":
            own = verify.agreement(verify.own_probabilities(draft.exported, split), expected)
            levels = verify.grey_levels(
                split, open_model(forms.preparing_onnx(preprocess, resizes=True), "onnx"), preprocess
            )
            cells[-3:] = [*_cells(own)[:1], f"{levels.share:.3%}", str(levels.largest)]
        yield "| " + " | ".join(cells) + " |"


def _cells(found: verify.Agreement) -> tuple[str, str]:
    ties = f" ({found.ties} tied)" if found.ties else ""
    return f"{found.n - found.changed:,} of {found.n:,}{ties}", f"{found.largest_difference:.1e}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a finished study")
    parser.add_argument("photos", help="folder of pictures with labels")
    parser.add_argument("--pictures", type=int, default=500)
    options = parser.parse_args()
    print(
        "| network | accuracy | form | same prediction | probabilities differ by | own resizing: same | values | levels |"
    )
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    for run in sorted(options.study.glob("trials/*/seed-0/run")):
        for row in rows(RunFolder(run).weights("best"), options.photos, most=options.pictures):
            print(row, flush=True)


if __name__ == "__main__":
    main()
