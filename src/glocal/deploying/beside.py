"""What is written beside an exported file: a model card, a short sample, and the preprocessing as code where it is needed."""

import math

from glocal.data.batches.preprocess import FILTERS
from glocal.deploying.about import About

NAMED = 100  # classes named in the card; all of them are in the file

_LOAD = {
    "onnx": """import onnxruntime

session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
run = lambda batch: session.run(None, {{"pictures": batch}})[0]""",
    "openvino": """import openvino

model = openvino.Core().read_model("{file}")
classes = json.loads(json.loads(model.get_rt_info(["glocal"]).astype(str))["classes"])
compiled = openvino.Core().compile_model(model, "CPU", {{"INFERENCE_PRECISION_HINT": openvino.Type.{hint}}})
run = lambda batch: compiled([batch])[0]""",
    "torch": """import torch

extra = {{"about.json": ""}}
module = torch.export.load("{file}", extra_files=extra).module()
classes = json.loads(json.loads(extra["about.json"])["classes"])
run = lambda batch: module(torch.from_numpy(batch)).detach().numpy()""",
}


def sample(about: About, *, file: str) -> str:
    """A script that predicts the pictures named on its command line; it needs the runtime, numpy and Pillow."""
    load = _LOAD[about.form].format(file=file, hint="bf16" if about.precision == "bf16" else "f32")
    prepare = "" if about.resizes else "from preprocess import prepare\n"
    pixels = "np.asarray(image)" if about.resizes else "prepare(image)"
    return f'''"""Predicts the class of pictures: python sample.py PICTURE ..."""

import json
import sys

import numpy as np
{prepare}from PIL import Image, ImageOps
{load}
for path in sys.argv[1:]:
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:  # is laid on white, as in training
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    probabilities = run({pixels}[None].copy())[0]
    for i in probabilities.argsort()[::-1][:3]:
        print(f"{{path}}: {{classes[i]}} {{probabilities[i]:.6f}}")
'''


def preprocess_python(about: About) -> str:
    """The module `preprocess` for a file that takes pictures of one size: its `prepare` gives the pixels."""
    how = about.recipe
    (h, w), large = how.size, tuple(math.floor(side / how.crop_pct) for side in how.size)
    cover = (
        "    most_h, most_w = math.ceil(64 * w * H / W), math.ceil(64 * h * W / H)  # of a very long picture the middle\n"
        "    top, left = max(0, h - most_h) // 2, max(0, w - most_w) // 2\n"
        "    image = image.crop((left, top, w - left, h - top))\n"
        "    w, h = image.size\n"
        "    H, W = (H, max(W, int(H * w / h))) if h * W <= w * H else (max(H, int(W * h / w)), W)\n"
        if how.aspect == "crop"
        else ""
    )
    return f'''"""How a picture becomes the input of the network: resized, its centre cropped. Needs Pillow and numpy."""

import math

import numpy as np
from PIL import Image


def prepare(image):
    """An RGB image of Pillow -> uint8 ({h}, {w}, 3)."""
    w, h = image.size
    H, W = {large[0]}, {large[1]}
{cover}    if (h, w) != (H, W):
        image = image.resize((W, H), Image.Resampling.{FILTERS[how.interpolation].name})
    top, left = round((H - {h}) / 2), round((W - {w}) / 2)
    return np.asarray(image)[top : top + {h}, left : left + {w}]
'''


def preprocess_javascript(about: About) -> str:
    """The same for a browser. Its resizing is the browser's, which is not Pillow's."""
    how = about.recipe
    (h, w), large = how.size, tuple(math.floor(side / how.crop_pct) for side in how.size)
    cover = (
        "  if (image.height * W <= image.width * H) W = Math.max(W, Math.floor((H * image.width) / image.height));\n"
        "  else H = Math.max(H, Math.floor((W * image.height) / image.width));\n"
        if how.aspect == "crop"
        else ""
    )
    return f"""// How a picture becomes the input of the network: a file or blob -> Uint8Array of {h} x {w} x 3.
// The browser resizes, not Pillow: some values differ by a few grey levels.
const half = (n) => Math.floor(n / 2) + (n % 4 === 3 ? 1 : 0); // rounded to the even number, as Python does

export async function prepare(blob) {{
  const image = await createImageBitmap(blob, {{ imageOrientation: "from-image" }});
  let H = {large[0]}, W = {large[1]};
{cover}  const canvas = new OffscreenCanvas({w}, {h});
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // transparency is laid on white
  context.fillRect(0, 0, {w}, {h});
  context.drawImage(image, -half(W - {w}), -half(H - {h}), W, H);
  const rgba = context.getImageData(0, 0, {w}, {h}).data;
  const rgb = new Uint8Array({h} * {w} * 3);
  for (let i = 0; i < {h} * {w}; i++) rgb.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
  return rgb;
}}
"""


def card(about: About, *, file: str, notes: tuple[str, ...] = ()) -> str:
    """The page about an exported file, in Markdown."""
    needs = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}[about.form]
    sides = "any size (all of a batch the same)" if about.resizes else "{} x {}".format(*about.recipe.size)
    made = "of each class by itself" if about.multi_label else "that add up to one"
    temper = "not calibrated" if about.temperature == 1 else f"calibrated with temperature {about.temperature:.3f}"
    names = ", ".join(f"`{name}`" for name in about.classes[:NAMED])
    more = f" and {len(about.classes) - NAMED:,} more" if len(about.classes) > NAMED else ""
    rows = "\n".join(f"| {name} | {value} |" for name, value in sorted(about.preprocess.items()))
    lines = "\n".join(f"- {line[:1].upper()}{line[1:]}." for line in (*about.agreement, *notes))
    return f"""# {about.name}

`{file}` classifies pictures into {len(about.classes):,} classes. It was written by glocal {about.glocal_version} as {about.form}
in {about.precision}, and runs without glocal: `python sample.py PICTURE` needs {needs}, numpy and Pillow.

| | |
|---|---|
| input `pictures` | uint8 (batch, height, width, 3): RGB of {sides} |
| output `probabilities` | float32 (batch, {len(about.classes)}): probabilities {made}, {temper} |

## Accuracy

{_accuracy(about)}

## Checked before it was written

{lines}

## Preprocessing

{_preparing(about)}

| setting | value |
|---|---|
{rows}

## Classes

In the order of the probabilities: {names}{more}.

## Licence

{about.licence or "None was named by who exported this network."}
"""


def _accuracy(about: About) -> str:
    found = about.accuracy
    if found is None:
        return "It was not measured."
    low, high = found.interval
    return (
        f"{found.top1:.2%} of {found.n:,} pictures are classified correctly (95 % interval {low:.2%} to {high:.2%}), measured "
        f"with this file on {found.pictures}. The interval is of the pictures, not of another training."
    )


def _preparing(about: About) -> str:
    if about.resizes:
        return "The file does it: it resizes, crops the centre and normalises as the network was evaluated."
    return (
        "The file normalises. Resizing and cropping come before it: `preprocess.py` gives the pixels that the network was "
        "evaluated with, `preprocess.js` nearly the same in a browser."
    )
