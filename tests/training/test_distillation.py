"""A teacher reads the student's own pictures its own way, answers in the student's classes, and joins the loss as in DeiT."""

import numpy as np
import pytest
import timm
import torch
from torch.nn import functional

from glocal.data import Preprocess
from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe
from glocal.training.distillation import Teacher, distilled_loss
from glocal.weights import Model, create_model, save_model

CPU = torch.device("cpu")
STUDENT = Preprocess(size=(16, 16), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
OWN = Preprocess(size=(32, 32))


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return torch.randn(6, 5, requires_grad=True), torch.randn(6, 5)


@pytest.fixture
def ours(tmp_path):
    torch.manual_seed(0)
    network = create_model("convmixer_16_2_p2_k5_32", num_classes=3).train()
    network(torch.randn(8, 3, 32, 32))  # so that running statistics say something
    save_model(tmp_path / "t.safetensors", Model(network, ("a", "b", "c"), OWN.to_json()))
    return network.eval(), str(tmp_path / "t.safetensors")


def opened(source, classes=("a", "b", "c"), preprocess=STUDENT):
    return Teacher.load(source, classes=classes, preprocess=preprocess, device=CPU)


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_a_teacher_without_a_share_leaves_the_loss_as_it_is(logits, kind):
    recipe = Recipe(teacher="t", distillation=kind, distillation_alpha=0.0)
    assert distilled_loss(recipe, torch.tensor(1.25), *logits) == 1.25


def test_a_teacher_that_says_the_same_adds_nothing_but_its_share(logits):
    said, _ = logits
    recipe = Recipe(teacher="t", distillation="soft")
    value = distilled_loss(recipe, torch.tensor(2.0), said, said.detach())
    assert value.item() == pytest.approx(0.9 * 2.0, abs=1e-7)
    value.backward()
    assert said.grad.abs().max() < 1e-7


def test_soft_distillation_is_deits_with_its_division_by_pictures_times_classes(logits):
    student, teacher = (t.detach().double() for t in logits)
    p, q = (teacher / 3).softmax(1), (student / 3).softmax(1)
    kl = (p * (p / q).log()).sum() * 9 / 30
    found = distilled_loss(Recipe(teacher="t", distillation="soft"), torch.tensor(2.0), *logits)
    assert found.item() == pytest.approx(0.9 * 2.0 + 0.1 * kl.item(), rel=1e-5)


def test_hard_distillation_is_cross_entropy_with_the_teachers_answer(logits):
    found = distilled_loss(Recipe(teacher="t"), torch.tensor(2.0), *logits)
    wanted = 0.5 * 2.0 + 0.5 * functional.cross_entropy(logits[0], logits[1].argmax(1))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distillation_tau": 2.0, "teacher": "t"}, "a teacher and distillation soft"),
        ({"distillation_alpha": 0.5}, "it needs a teacher"),
    ],
)
def test_a_setting_of_distillation_without_effect_is_an_error(changes, said):
    with pytest.raises(RecipeError, match=said):
        Recipe().but(changes)


def test_the_teacher_sees_the_students_pictures_at_its_own_size_and_normalisation(ours):
    network, path = ours
    pixels = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    resized = functional.interpolate(
        pixels.float() / 255, (32, 32), mode="bicubic", antialias=True, align_corners=False
    )
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (OWN.mean, OWN.std))
    with torch.no_grad():
        wanted = network((resized - mean) / std)
    torch.testing.assert_close(opened(path)(STUDENT.normalise(pixels)), wanted, atol=1e-4, rtol=1e-4)


def test_a_student_of_grey_pictures_has_a_teacher_of_colours(ours):
    grey = Preprocess(size=(32, 32), mean=(0.5,), std=(0.5,))
    pixels = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)
    said = opened(ours[1], preprocess=grey)(grey.normalise(pixels))
    same = opened(ours[1], preprocess=OWN)(OWN.normalise(pixels.repeat(1, 3, 1, 1)))
    torch.testing.assert_close(said, same, atol=1e-4, rtol=1e-4)


def test_classes_are_matched_by_name_and_not_by_position(ours):
    x = torch.randn(4, 3, 16, 16)
    whole, part = opened(ours[1]), opened(ours[1], ("c", "a"))
    assert torch.equal(part(x), whole(x)[:, [2, 0]])
    assert "matched by name, 2 of its 3" in part.description
    assert "in the same order" in whole.description


def test_a_teacher_is_frozen_and_known_by_its_weights(ours):
    network, path = ours
    teacher = opened(path)
    said = teacher(torch.randn(2, 3, 16, 16))
    assert not said.requires_grad
    assert not said.is_inference(), "a loss keeps it for its gradients"
    assert not any(p.requires_grad for p in teacher.network.parameters())
    assert not teacher.network.training
    assert teacher.digest == opened(path, ("b",)).digest
    with torch.no_grad():
        next(network.parameters()).add_(1e-3)
    save_model(path, Model(network, ("a", "b", "c"), OWN.to_json()))
    assert opened(path).digest != teacher.digest


def test_a_teacher_that_does_not_know_a_class_is_refused(ours):
    with pytest.raises(RecipeError, match=r"does not know 1 of the 2 classes, the first 'z'; .*--recipe fine_tune"):
        opened(ours[1], ("a", "z"))


def test_any_network_of_timm_teaches_with_the_weights_of_a_file(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    torch.save(network.state_dict(), tmp_path / "r.pth")
    teacher = opened(f"timm:test_resnet@{tmp_path / 'r.pth'}")
    assert "order of its 3 is taken on trust" in teacher.description
    own = teacher.preprocess
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, *own.size), dtype=np.uint8))
    with torch.no_grad():
        wanted = network(own.normalise(pixels))
    same = Preprocess(size=own.size, mean=(0.5,) * 3, std=(0.5,) * 3)
    reading = opened(f"timm:test_resnet@{tmp_path / 'r.pth'}", preprocess=same)
    torch.testing.assert_close(reading(same.normalise(pixels)), wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(RecipeError, match="has 3 classes and the pictures 2; fine-tune it"):
        opened(f"timm:test_resnet@{tmp_path / 'r.pth'}", ("a", "b"))


def test_several_labels_a_picture_have_no_teacher(ours):
    with pytest.raises(RecipeError, match="several labels"):
        Teacher.load(ours[1], classes=("a",), preprocess=STUDENT, device=CPU, multi_label=True)
