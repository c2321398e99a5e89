"""ConvMixer: the authors' commands for ImageNet, their script for CIFAR-10, and a reader's reconstruction."""

from glocal.data.batches.preprocess import CIFAR10_MEAN, CIFAR10_STD
from glocal.recipes.pages import CIFAR10, IMAGENET, Page
from glocal.recipes.schema import Recipe

TITLE = "Recipes of ConvMixer"
_PAPER = "Patches Are All You Need? (Trockman and Kolter 2022, arXiv:2201.09792)"
_COMMAND = "the command in the authors' README; settings that it does not name are the defaults of timm's script"
_SCRIPT = "the authors' convmixer-cifar10: train.py"
_VAL = "the validation pictures at 224 with crop_pct 0.96; {}"
_GPUS = "10 RTX 8000, about {} days (authors' issue 12)"
_TOGETHER = "The eps of 1e-3 belongs to the large learning rate: change both or neither."

_IMAGENET = Recipe(
    img_size=224,
    batch_size=640,  # 10 GPUs x 64
    lr=0.01,
    eps=1e-3,
    weight_decay=2e-5,  # the command passes none
    decay_exempt="vectors",
    sched="triangle",
    clip_grad=1.0,
    auto_augment="rand-m9-mstd0.5-inc1",
    reprob=0.25,
    mixup=0.5,
    cutmix=0.5,
    smoothing=0.1,
    crop_pct=0.96,
)
_CIFAR = Recipe(
    model="convmixer_256_8_p2_k5_32",
    batch_size=512,
    lr=0.05,
    weight_decay=0.005,
    decay_exempt="nothing",
    sched="triangle",
    scale=(1.0, 1.0),
    ratio=(1.0, 1.0),
    train_interpolation="bilinear",
    auto_augment="rand-m12-n2",  # torchvision's n = 2, m = 12 in the script; timm's operations here
    mean=CIFAR10_MEAN,
    std=(0.2471, 0.2435, 0.2616),
)
_TIMMS = "The script uses torchvision's RandAugment and erasing; the operations here are timm's."

PAGES = (
    Page(
        "convmixer_1536_20_imagenet",
        _PAPER,
        _COMMAND,
        _IMAGENET.but({"model": "convmixer_1536_20", "epochs": 150}),
        IMAGENET,
        81.37,
        _VAL.format("the authors, and timm of their weights"),
        hardware=_GPUS.format(9),
        notes=(_TOGETHER,),
    ),
    Page(
        "convmixer_768_32_imagenet",
        _PAPER,
        _COMMAND,
        _IMAGENET.but({"model": "convmixer_768_32", "epochs": 300}),
        IMAGENET,
        80.16,
        _VAL.format("timm of the authors' weights, whose activation is ReLU"),
        hardware=_GPUS.format(8),
        notes=(_TOGETHER,),
    ),
    Page(
        "convmixer_1536_20_p14_imagenet",
        _PAPER,
        _COMMAND,
        _IMAGENET.but({"model": "convmixer_1536_20_p14_k9", "epochs": 150}),
        IMAGENET,
        78.92,
        _VAL.format("the paper"),
        notes=(_TOGETHER, "Patches of 14 cost a quarter of patches of 7."),
    ),
    Page(
        "convmixer_256_8_cifar10_25",
        _PAPER,
        _SCRIPT,
        _CIFAR.but({"epochs": 25}),
        CIFAR10,
        92.60,
        "the test pictures; the authors' log",
        hardware="RTX 2080 Ti, 42.5 s an epoch",
        notes=(_TIMMS,),
    ),
    Page(
        "convmixer_256_8_cifar10_100",
        _PAPER,
        _SCRIPT,
        _CIFAR.but({"epochs": 100, "color_jitter": 0.2, "reprob": 0.2}),
        CIFAR10,
        None,
        "above 94 % top-1, the test pictures; the authors' README",
        notes=(_TIMMS,),
    ),
    Page(
        "convmixer_256_8_p1_k9_cifar10_200",
        _PAPER,
        "a reader's reconstruction (authors' issue 15); the paper's 96.03 % is published without its settings",
        _IMAGENET.but(
            {
                "model": "convmixer_256_8_p1_k9_32",
                "img_size": 32,
                "batch_size": 64,
                "epochs": 200,
                "weight_decay": 0.01,
                "scale": (0.75, 1.0),
                "crop_pct": 1.0,
                "mean": CIFAR10_MEAN,
                "std": CIFAR10_STD,
            }
        ),
        CIFAR10,
        95.89,
        "the test pictures; that reader",
        notes=(_TOGETHER, "With ImageNet's scale of 0.08 to 1, users reached only about 90 % (authors' issue 11)."),
    ),
)
