"""ConvNeXt: from scratch, ImageNet-22K, fine-tuning, the isotropic networks, the roadmap's ResNets, and torchvision's recipe."""

from glocal.families.convnext import ISOTROPIC, SIZES
from glocal.recipes.pages import IMAGENET, Page, Pictures
from glocal.recipes.schema import Recipe

TITLE = "Recipes of ConvNeXt"
IMAGENET_22K = Pictures("ImageNet-22K", "imagenet22k", None, 21_841)

_PAPER = "A ConvNet for the 2020s (Liu et al. 2022, arXiv:2201.03545)"
_AVERAGED = "the validation pictures at 224, the averaged weights; {}"
_GPUS = {"large": "64 GPUs x 64 pictures"}
_32_GPUS = "32 GPUs x 128 pictures"
_FP32 = "The authors computed in float32; --amp off does."

# ---------------------------------------------------------------------------------- from scratch, Table 5

_SCRATCH = Recipe(
    img_size=224,
    batch_size=4096,
    epochs=300,
    lr=4e-3,
    weight_decay=0.05,
    decay_exempt="vectors",
    sched="linspace_cosine",
    warmup_epochs=20,
    min_lr=1e-6,
    train_interpolation="bicubic",
    auto_augment="rand-m9-mstd0.5-inc1",
    reprob=0.25,
    mixup=0.8,
    cutmix=1.0,
    smoothing=0.1,
    crop_pct=0.875,
    ema=0.9999,
)
_TOP1 = {"tiny": 82.1, "small": 83.1, "base": 83.8, "large": 84.3}
_ISOTROPIC_TOP1 = {"small": 79.7, "base": 82.0, "large": 82.6}

_FROM_SCRATCH = tuple(
    Page(
        f"convnext_{size}_imagenet",
        _PAPER,
        "Table 5, ImageNet-1K",
        _SCRATCH.but({"model": f"convnext_{size}", "drop_path": SIZES[size].drop_path}),
        IMAGENET,
        top1,
        _AVERAGED.format("Table 1"),
        hardware=_GPUS.get(size, _32_GPUS),
        notes=(
            _FP32,
            "Fine-tuning starts from the best averaged weights of this run, as here (its last plain weights had overfitted)."
            if size == "large"
            else "For fine-tuning, keep the weights that are not averaged, as the authors did: --set evaluated=weights.",
        ),
    )
    for size, top1 in _TOP1.items()
)
_ISOTROPIC = tuple(
    Page(
        f"convnext_isotropic_{size}_imagenet",
        _PAPER,
        "Section 3.3 and Table 5",
        _SCRATCH.but({"model": f"convnext_isotropic_{size}", "warmup_epochs": 50, "drop_path": ISOTROPIC[size][2]}),
        IMAGENET,
        top1,
        _AVERAGED.format("Table 2"),
        hardware=_GPUS.get(size, _32_GPUS),
        notes=(
            _FP32,
            *(("The authors' README says 78.7 %; here is the number of Table 2.",) if size == "small" else ()),
        ),
    )
    for size, top1 in _ISOTROPIC_TOP1.items()
)

# ---------------------------------------------------------------------------------- ImageNet-22K, Tables 5 and 6

_22K = tuple(
    Page(
        f"convnext_{size}_imagenet22k",
        _PAPER,
        "Table 5, ImageNet-22K",
        _SCRATCH.but(
            {
                "model": f"convnext_{size}_22k",
                "epochs": 90,
                "warmup_epochs": 5,
                "ema": 0.0,
                "drop_path": SIZES[size].drop_path_22k,
            }
        ),
        IMAGENET_22K,
        scored=f"no result on ImageNet-22K is published; it is read after convnext_{size}_imagenet_from22k",
        hardware="128 GPUs x 32 pictures",
        notes=(_FP32,),
    )
    for size in ("tiny", "small", "base", "large", "xlarge")
)

_FINE_TUNE = _SCRATCH.but(
    {
        "batch_size": 512,
        "epochs": 30,
        "lr": 5e-5,
        "warmup_epochs": 0,
        "weight_decay": 1e-8,
        "mixup": 0.0,
        "cutmix": 0.0,
        "ema": 0.0,
        "head_init_scale": 1e-3,
    }
)
_384 = {"img_size": 384, "crop_pct": 1.0, "aspect": "squash"}
_GROUPS = (
    "The learning rate falls by layer_decay from the head down, group by group: three blocks with their downsampling."
)
_HEAD = (
    "The authors replaced the classifier of 21,841 classes by a new one, multiplied by 0.001. Here its rows are kept where "
    "both files name their classes and all names are found, or where --head-rows FILE numbers them."
)
_AT_384 = "For evaluation at 384 the whole picture is squashed to the square."

_FROM_1K = tuple(
    Page(
        f"convnext_{size}_imagenet_384",
        _PAPER,
        "Table 6, from ImageNet-1K",
        _FINE_TUNE.but({**_384, "model": f"convnext_{size}", "layer_decay": 0.7, "drop_path": drop_path}),
        IMAGENET,
        top1,
        "the validation pictures at 384; Table 1",
        weights=f"convnext_{size}_imagenet",
        notes=(_GROUPS, _AT_384, f"Start from {start}."),
    )
    for size, drop_path, top1, start in (
        ("base", 0.8, 85.1, "the last weights that are not averaged"),
        ("large", 0.95, 85.5, "the best averaged weights"),
    )
)

# drop path (Table 6), top-1 at 224 and at 384 (Table 1)
_AFTER_22K = {
    "tiny": (0.0, 82.9, 84.1),
    "small": (0.1, 84.6, 85.8),
    "base": (0.2, 85.8, 86.8),
    "large": (0.3, 86.6, 87.5),
    "xlarge": (0.4, 87.0, 87.8),
}
_FROM_22K = tuple(
    Page(
        f"convnext_{size}_imagenet_from22k{what}",
        _PAPER,
        "Table 6, from ImageNet-22K",
        _FINE_TUNE.but(
            {
                **changes,
                "model": f"convnext_{size}",
                "layer_decay": 0.8,
                "drop_path": row[0],
                "ema": 0.9999 if size == "xlarge" else 0.0,
            }
        ),
        IMAGENET,
        row[column],
        f"the validation pictures at {'384' if what else '224'}; Table 1",
        weights=f"convnext_{size}_imagenet22k",
        notes=(_GROUPS, _HEAD, *((_AT_384,) if what else ())),
    )
    for what, changes, column in (("", {}, 1), ("_384", _384, 2))
    for size, row in _AFTER_22K.items()
)

# ---------------------------------------------------------------------------------- the roadmap, Tables 10 and 11

_STEPS = "The steps of the roadmap are trained in the same way: --model {0}_step_1 to {0}_step_12, results in docs/convnext.md."
_ROADMAP = tuple(
    Page(
        f"{model}_imagenet",
        _PAPER,
        f"Table 5; Appendix C ({table})",
        _SCRATCH.but({"model": model, "ema": 0.0, "drop_path": drop_path}),
        IMAGENET,
        top1,
        f"the validation pictures at 224; {table}, {runs}",
        notes=(
            _STEPS.format(model),
            "The weights are not averaged, because averaging badly hurts networks with batch norms.",
        ),
    )
    for model, drop_path, top1, table, runs in (
        ("resnet50", 0.1, 78.82, "Table 10", "mean of three runs, 0.07 standard deviation"),
        ("resnet200", 0.5, 81.14, "Table 11", "one run"),
    )
)
_RESNET_90 = Page(
    "resnet50_imagenet_90",
    _PAPER,
    "torchvision's first reference settings, which the paper does not restate",
    Recipe(
        model="resnet50",
        img_size=224,
        batch_size=256,
        epochs=90,
        opt="momentum",
        lr=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        decay_exempt="nothing",
        sched="timm_step",
        train_interpolation="bilinear",
        interpolation="bilinear",
        crop_pct=0.875,
    ),
    IMAGENET,
    76.13,
    "the validation pictures at 224; Table 10",
    notes=("The roadmap's starting point: random crops and flips alone.",),
)

# ---------------------------------------------------------------------------------- torchvision's, pull request 5197

# top-1 and the side to which torchvision resizes before it crops 224
_TORCHVISION = {"tiny": (82.520, 236), "small": (83.616, 230), "base": (84.062, 232), "large": (84.414, 232)}
_600 = tuple(
    Page(
        f"convnext_{size}_imagenet_600",
        "torchvision's recipe for ConvNeXt (pytorch/vision, pull requests 5197 and 5253)",
        "the command in pull request 5197; what it leaves out, torchvision's references/classification/train.py",
        Recipe(
            model=f"convnext_{size}",
            img_size=224,
            train_size=176,
            drop_path=SIZES[size].drop_path,
            batch_size=1024,
            repeats=4,
            epochs=600,
            lr=1e-3,
            weight_decay=0.05,
            decay_exempt="norms",
            sched="epoch_cosine",
            warmup_epochs=5,
            warmup_lr=1e-5,
            train_interpolation="bilinear",
            auto_augment="ta_wide",
            reprob=0.1,
            remode="const",
            mixup=0.2,
            cutmix=1.0,
            smoothing=0.1,
            interpolation="bilinear",
            crop_pct=224 / resized,
            ema=0.999966,
        ),
        IMAGENET,
        top1,
        "the validation pictures at 224, the averaged weights; torchvision",
        notes=(
            "Trained at 176 and evaluated at 224, which only networks without positions allow.",
            "torchvision averages every 32 steps with a decay of 1 - 2e-5 x 32 x 1024 / 600, and copies through the warm-up; "
            "here every step, with the 32nd root.",
        ),
    )
    for size, (top1, resized) in _TORCHVISION.items()
)

PAGES = (*_FROM_SCRATCH, *_ISOTROPIC, *_22K, *_FROM_1K, *_FROM_22K, *_ROADMAP, _RESNET_90, *_600)
