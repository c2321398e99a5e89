"""GLiT: the command of its repository, which is DeiT's recipe with clipped gradients; and DeiT, the paper's baseline."""

from glocal.recipes.pages import IMAGENET, Page
from glocal.recipes.schema import Recipe

TITLE = "Recipes of GLiT"
_GLIT = "GLiT: Neural Architecture Search for Global and Local Image Transformer (Chen et al. 2021, arXiv:2107.02960)"
_DEIT = "Training data-efficient image transformers (Touvron et al. 2021, arXiv:2012.12877)"
_CODE = "the authors' code, a fork of DeiT's: README and the defaults of its script"
_LATE = "Epochs 0 and 1 both run at warmup_lr, because the schedule is computed for the epoch just finished."
_REPEATED = (
    "Repeated augmentation: an epoch shows a third of the pictures, each three times with different augmentations."
)
_KEPT = "The weights are averaged, and the average is never evaluated."

_RECIPE = Recipe(
    img_size=224,
    drop_path=0.1,
    batch_size=1024,
    repeats=3,
    epochs=300,
    lr=1e-3,  # 5e-4 for each 512 pictures of a batch
    weight_decay=0.05,
    sched="deit_cosine",
    warmup_epochs=5,
    warmup_lr=1e-6,
    min_lr=1e-5,
    train_interpolation="bicubic",
    auto_augment="rand-m9-mstd0.5-inc1",
    reprob=0.25,
    mixup=0.8,
    cutmix=1.0,
    smoothing=0.1,
    crop_pct=0.875,
    ema=0.99996,
    evaluated="weights",
)

PAGES = (
    Page(
        "glit_tiny_imagenet",
        _GLIT,
        _CODE,
        _RECIPE.but({"model": "glit_tiny", "clip_grad": 1.0}),
        IMAGENET,
        76.4,
        "the validation pictures at 224, the best epoch on them; the authors' README (the paper says 76.3 %)",
        hardware="4 GPUs x 256 pictures",
        notes=(
            _LATE,
            _REPEATED,
            _KEPT,
            "The networks of Table 1 are trained in the same way: --model glit_mix_3_0 to glit_mix_0_3.",
            "The authors' batch norms see the 256 pictures of one GPU.",
        ),
    ),
    *(
        Page(
            f"deit_{size}_imagenet",
            _DEIT,
            _CODE,
            _RECIPE.but({"model": f"deit_{size}"}),
            IMAGENET,
            top1,
            "the validation pictures at 224; DeiT's README",
            notes=(_LATE, _REPEATED, _KEPT, *notes),
        )
        for size, top1, *notes in (("tiny", 72.2), ("small", 79.8, "Also quoted as 79.9 %."), ("base", 81.8))
    ),
)
