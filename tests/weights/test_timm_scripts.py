"""What timm's train.py and validate.py do, with networks of ours.

The scripts are not in timm's wheel, so each test calls timm's functions that its script calls, in the script's order and with the
arguments that its flags become.
"""

from argparse import Namespace

import pytest
import timm
import torch
from timm.data import create_dataset, create_loader, create_transform, resolve_data_config
from timm.models import load_checkpoint
from timm.optim import create_optimizer_v2, optimizer_kwargs
from timm.scheduler import create_scheduler_v2, scheduler_kwargs
from timm.task import ClassificationTask
from timm.utils import AverageMeter, CheckpointSaver, accuracy, dispatch_clip_grad

import glocal
from glocal.weights import Model, create_model, load_model, save_model

NAME = "glocal_cct_2_3x2_32"
CPU = torch.device("cpu")
# timm's data sets leave the files open that Pillow reads from.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def registered():
    glocal.register_with_timm()


def flags(**more):
    """Those of train.py that matter here, with the script's names and defaults."""
    return Namespace(
        **{
            "model": NAME, "opt": "adamw", "lr": 2e-3, "weight_decay": 0.05, "momentum": 0.9, "layer_decay": 0.9,
            "clip_grad": 1.0,
            "sched": "cosine", "epochs": 3, "warmup_epochs": 0, "img_size": None, "input_size": None, "mean": None, "std": None,
            "interpolation": "", "crop_pct": None, "in_chans": None, "batch_size": 16, "smoothing": 0.1, **more,
        }
    )  # fmt: skip


def loader(root, split, data_config, args, *, is_training):
    grey = data_config["input_size"][0] == 1
    dataset = create_dataset("", root=root, split=split, is_training=is_training, input_img_mode="L" if grey else "RGB")
    how = {key: data_config[key] for key in ("input_size", "interpolation", "mean", "std", "crop_pct")}
    return create_loader(
        dataset, batch_size=args.batch_size, is_training=is_training, num_workers=0, persistent_workers=False, device=CPU, **how
    )  # fmt: skip


@torch.no_grad()
def validate(model, batches):
    """The share of pictures classified rightly, in percent, as validate.py counts it."""
    top1 = AverageMeter()
    model.eval()
    for x, target in batches:
        (right,) = accuracy(model(x), target, topk=(1,))
        top1.update(right.item(), x.size(0))
    return top1.avg


def train(args, shades, folder, **create):
    """train.py's main and train_one_epoch."""
    torch.manual_seed(0)
    model = timm.create_model(args.model, pretrained=False, num_classes=2, drop_rate=0.0, checkpoint_path="", **create)
    data_config = resolve_data_config(vars(args), model=model, verbose=False)
    model.set_grad_checkpointing(enable=True)
    optimizer = create_optimizer_v2(model, **optimizer_kwargs(cfg=args))
    task = ClassificationTask(model, criterion_kwargs={"smoothing": args.smoothing}, device=CPU, verbose=False)
    task.setup_ema(decay=0.5)
    batches = loader(shades, "train", data_config, args, is_training=True)
    held_out = loader(shades, "test", data_config, args, is_training=False)
    saver = CheckpointSaver(
        model, optimizer, args=args, task=task, checkpoint_dir=str(folder), recovery_dir=str(folder)
    )
    scheduler, epochs = create_scheduler_v2(optimizer, **scheduler_kwargs(args), updates_per_epoch=len(batches))
    updates = 0
    for epoch in range(epochs):
        task.train()
        for x, target in batches:
            task(x, target)["loss"].backward()
            dispatch_clip_grad(task.get_clip_parameters(), value=args.clip_grad)
            optimizer.step()
            optimizer.zero_grad()
            updates += 1
            task.update_ema(step=updates)
            scheduler.step_update(num_updates=updates)
        top1 = validate(task.get_eval_model(ema=True), held_out)
        scheduler.step(epoch + 1, top1)
        saver.save_checkpoint(epoch, metric=top1)
    return model, top1


@pytest.mark.parametrize("channels", [3, 1])
def test_train_py_trains_saves_and_resumes_a_network_of_ours(shades, tmp_path, channels):
    model, top1 = train(flags(), shades, tmp_path, img_size=16, in_chans=channels)
    assert top1 == 100
    averaged = timm.create_model(
        NAME, num_classes=2, img_size=16, in_chans=channels, checkpoint_path=str(tmp_path / "last.pth.tar")
    )
    plain = timm.create_model(NAME, num_classes=2, img_size=16, in_chans=channels)
    load_checkpoint(plain, str(tmp_path / "last.pth.tar"), use_ema=False)
    ours = create_model("cct_2_3x2_32", img_size=16, in_chans=channels, weights=tmp_path / "last.pth.tar")
    for key, t in model.state_dict().items():
        assert torch.equal(plain.state_dict()[key], t)
        assert torch.equal(averaged.state_dict()[key], ours.state_dict()[key])
    assert not torch.equal(averaged.state_dict()["head.linear1.weight"], plain.state_dict()["head.linear1.weight"])
    timm.models.resume_checkpoint(plain, str(tmp_path / "last.pth.tar"), log_info=False)


def test_validate_py_scores_a_network_of_ours_as_glocal_does(shades, tmp_path):
    """validate.py: create the model, resolve its data configuration, load the checkpoint, evaluate."""
    model, _ = train(flags(epochs=1), shades, tmp_path, img_size=16)
    prepared = {"size": [16, 16], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "crop_pct": 1.0}
    prepared |= {"interpolation": "bilinear", "aspect": "crop"}
    save_model(tmp_path / "ours.safetensors", Model(model, ("dark", "light"), prepared))
    found = timm.create_model(NAME, img_size=16, weights=tmp_path / "ours.safetensors")
    args = flags()
    data_config = resolve_data_config(vars(args), model=found, use_test_size=True)
    assert data_config == {
        "input_size": (3, 16, 16), "interpolation": "bilinear", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4),
        "crop_pct": 1.0, "crop_mode": "center",
    }  # fmt: skip
    timms = validate(found, loader(shades, "test", data_config, args, is_training=False))
    ours = glocal.evaluate(tmp_path / "ours.safetensors", shades, split="test", device="cpu")
    assert timms == pytest.approx(100 * ours.top1)


def test_create_transform_gives_what_a_network_reads(shades):
    from PIL import Image

    network = create_model("cct_2_3x2_32", img_size=(24, 16)).eval()
    transform = create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    with Image.open(next((shades / "test" / "dark").iterdir())) as picture:
        x = transform(picture.convert("RGB"))
    assert x.shape == (3, 24, 16)
    assert network(x[None]).shape == (1, 10)


def test_the_reconstruction_arguments_that_timm_keeps_make_the_same_network(tmp_path):
    model = timm.create_model(NAME, num_classes=4, in_chans=1)
    again = timm.create_model(NAME, **model._model_args)
    assert again.arch == model.arch
    save_model(tmp_path / "a.safetensors", Model(model, tuple("abcd"), {}))
    assert load_model(tmp_path / "a.safetensors").network.arch == model.arch
