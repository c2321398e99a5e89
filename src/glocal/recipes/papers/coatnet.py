"""CoAtNet: Table 10, each column and each size that the paper trained in it."""

from dataclasses import replace
from typing import Any

from glocal.recipes.pages import IMAGENET, Page, Pictures
from glocal.recipes.schema import Recipe

TITLE = "Recipes of CoAtNet"
IMAGENET_21K = Pictures("ImageNet-21K", "imagenet21k", 12_700_000)
JFT = Pictures("JFT-300M", "jft300m", 300_000_000)

_PAPER = "CoAtNet: Marrying Convolution and Attention for All Data Sizes (Dai et al. 2021, arXiv:2106.04803)"
_UNSAID = (
    "The paper gives no betas and no eps: here AdamW's defaults. Its RandAugment exceeds the usual level of 10, which timm's "
    'mmax allows. What its row "center crop" means is uncertain; here crop_pct 0.875 after pre-training and 1 after fine-tuning.'
)
_TABLES = "Tables of offsets grow with the picture, bilinearly, and do not decay."

# ---------------------------------------------------------------------------------- ImageNet-1K alone

_PRETRAIN = Recipe(
    img_size=224,
    batch_size=4096,
    epochs=300,
    lr=1e-3,
    min_lr=1e-5,
    weight_decay=0.05,
    sched="cosine",
    warmup_steps=10_000,
    clip_grad=1.0,
    auto_augment="rand-m15-n2-mmax15",
    mixup=0.8,
    smoothing=0.1,
    crop_pct=0.875,
)
_FINE_TUNE = _PRETRAIN.merged(
    {
        "batch_size": 512,
        "epochs": 30,
        "sched": "constant",
        "lr": 5e-5,
        "min_lr": 0.0,
        "warmup_steps": 0,
        "weight_decay": 1e-8,
        "crop_pct": 1.0,
        "ema": 0.9999,
    }
)
_STRONGER = {"auto_augment": "rand-m20-n2-mmax20"}  # CoAtNet-3 in fine-tuning on ImageNet-1K alone


def _page(
    name: str,
    column: str,
    recipe: Recipe,
    top1: float | None,
    scored: str,
    *,
    data: Pictures = IMAGENET,
    weights: str = "",
    notes: tuple[str, ...] = (),
) -> Page:
    table = f"Table 10, {column}"
    return Page(name, _PAPER, table, recipe, data, top1, scored, weights, notes=(*notes, _UNSAID, _TABLES))


def _at(side: int, table: str) -> str:
    return f"the validation pictures at {side}; {table}"


# stochastic depth (Table 10), top-1 at 224, 384 and 512 (Table 4)
_ALONE = {
    "0": (0.2, 81.6, 83.9, None),
    "1": (0.3, 83.3, 85.1, None),
    "2": (0.5, 84.1, 85.7, 85.9),
    "3": (0.7, 84.5, 85.8, 86.0),
}
_IMAGENET = (
    *(
        _page(
            f"coatnet_{size}_imagenet",
            "ImageNet-1K pre-training",
            _PRETRAIN.but({"model": f"coatnet_{size}", "drop_path": row[0]}),
            row[1],
            _at(224, "Table 4"),
        )
        for size, row in _ALONE.items()
    ),
    *(
        _page(
            f"coatnet_{size}_imagenet_{side}",
            "ImageNet-1K fine-tuning",
            _FINE_TUNE.but(
                {
                    "model": f"coatnet_{size}",
                    "img_size": side,
                    "drop_path": row[0],
                    **(_STRONGER if size == "3" else {}),
                }
            ),
            row[column],
            _at(side, "Table 4"),
            weights=f"coatnet_{size}_imagenet",
        )
        for column, side in ((2, 384), (3, 512))
        for size, row in _ALONE.items()
        if row[column]
    ),
)

# ---------------------------------------------------------------------------------- ImageNet-21K

_21K = _PRETRAIN.but(
    {
        "epochs": 90,
        "sched": "linear",
        "warmup_steps": 0,
        "warmup_epochs": 5,
        "weight_decay": 0.01,
        "auto_augment": "",
        "mixup": 0.0,
        "loss": "sigmoid",
        "smoothing": 1e-4,
    }
)
_AFTER_21K = _FINE_TUNE.but({"batch_size": 1024, "auto_augment": "", "mixup": 0.0})
_RA = {"auto_augment": "rand-m5-n2"}
_ROUND = "The number of pictures is the paper's round one."
_READING = (
    "That fine-tuning augments with what pre-training did is the likely reading of Table 10, and uncertain: its cell for "
    "RandAugment spans both columns."
)
_SIGMOID = (
    "The paper does not say whether the loss is a sum or a mean over the classes; here it is the mean, as timm's."
)

# model, what sets it apart, changes in pre-training, stochastic depth, top-1 after fine-tuning at 384 and 512 (Table 5)
_RUNS_21K: tuple[tuple[str, str, dict[str, Any], float, float, float], ...] = (
    ("coatnet_2", "", {}, 0.3, 87.1, 87.3),
    ("coatnet_3", "", {}, 0.5, 87.6, 87.9),
    ("coatnet_4", "", {}, 0.7, 87.9, 88.1),
    ("coatnet_4", "_ra", _RA, 0.7, 88.3, 88.4),
    ("coatnet_4", "_ra_150", {**_RA, "epochs": 150}, 0.7, 88.4, 88.56),
)
_IMAGENET_21K = (
    *(
        _page(
            f"{model}_imagenet21k{what}",
            "ImageNet-21K pre-training",
            _21K.but({"model": model, "drop_path": drop_path, **changes}),
            None,
            f"read on ImageNet-1K after {model}_imagenet_from21k{what}_384",
            data=IMAGENET_21K,
            notes=(_ROUND, _SIGMOID),
        )
        for model, what, changes, drop_path, *_ in _RUNS_21K
    ),
    *(
        _page(
            f"{model}_imagenet_from21k{what}_{side}",
            "ImageNet-21K to 1K fine-tuning",
            _AFTER_21K.but(
                {
                    "model": model,
                    "img_size": side,
                    "drop_path": drop_path,
                    "auto_augment": changes.get("auto_augment", ""),
                }
            ),
            top1[column],
            _at(side, "Table 5"),
            weights=f"{model}_imagenet21k{what}",
            notes=(_READING,),
        )
        for column, side in enumerate((384, 512))
        for model, what, changes, drop_path, *top1 in _RUNS_21K
    ),
)

# ---------------------------------------------------------------------------------- JFT-300M

_JFT = _21K.but({"epochs": 14, "warmup_epochs": 0, "warmup_steps": 20_000, **_RA})

# model, peak rate, stochastic depth in pre-training and in fine-tuning (Table 10), core-days, top-1 (Table 5) at each size
_RUNS_JFT: tuple[tuple[str, float, float, float, str, dict[int, float]], ...] = (
    ("coatnet_3_dw", 1e-3, 0.0, 0.1, "0.58K", {384: 88.52, 512: 88.81}),
    ("coatnet_4", 5e-4, 0.1, 0.3, "0.95K", {512: 89.11}),
    ("coatnet_5", 5e-4, 0.0, 0.2, "1.82K", {512: 89.77}),
)
_AFTER_JFT = _FINE_TUNE.but({"mixup": 0.0, **_RA})
_JFT_300M = (
    *(
        replace(
            _page(
                f"{model}_jft",
                "JFT pre-training",
                _JFT.but({"model": model, "lr": lr, "drop_path": drop_path}),
                None,
                f"read on ImageNet-1K after {model}_imagenet_fromjft_512",
                data=JFT,
                notes=(_ROUND, _SIGMOID, "JFT-300M is not public."),
            ),
            hardware=f"{days} TPUv3-core-days",
        )
        for model, lr, drop_path, _, days, _ in _RUNS_JFT
    ),
    *(
        _page(
            f"{model}_imagenet_fromjft_{side}",
            "JFT to ImageNet-1K fine-tuning",
            _AFTER_JFT.but({"model": model, "img_size": side, "drop_path": drop_path}),
            top1,
            _at(side, "Table 5"),
            weights=f"{model}_jft",
        )
        for model, _, _, drop_path, _, results in _RUNS_JFT
        for side, top1 in results.items()
    ),
)

PAGES = (*_IMAGENET, *_IMAGENET_21K, *_JFT_300M)
