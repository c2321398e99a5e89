"""Whatever bytes are given as an architecture's YAML: it is read, or an error names the file."""

import random

import pytest
import yaml

import glocal
from damage import damaged, disturbed
from glocal.design import cost, dump, questions
from glocal.errors import ArchitectureError
from glocal.families.spaces import list_spaces

NAMES = ("cct_2_3x2_32", "convnext_atto", "coatnet_0", "glit_tiny", "resnet50_step_3")
PLAIN = [dump(glocal.architecture(name)) for name in NAMES] + [dump(glocal.space(name)) for name in list_spaces()[:2]]
TEXTS = [yaml.safe_dump(x, sort_keys=False).encode() for x in PLAIN]


def is_read_or_refused(path, data):
    """Whether it was read."""
    path.write_bytes(data)
    try:
        arch = glocal.architecture(str(path))
    except ArchitectureError as error:
        said = str(error)
    else:
        if not questions(arch):
            cost(arch)
        return True
    assert str(path) in said
    assert len(said) < 10_000
    return False


@pytest.mark.parametrize("data", TEXTS)
def test_an_undamaged_file_is_read(tmp_path, data):
    assert is_read_or_refused(tmp_path / "a.yaml", data)


BAD = {
    "no UTF-8": b"architecture: \xff\xfe",
    "UTF-16": "Architecture: {}".encode("utf-16"),
    "empty": b"",
    "nul": b"\x00" * 100,
    "deep list": b"[" * 5000 + b"]" * 5000,
    "deep map": b"{a: " * 3000,
    "deep block": b"".join(b" " * i + b"a:\n" for i in range(300)),
    "holds itself": b"&a [*a]",
    "billion laughs": b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (i, i, i - 1, i - 1) for i in range(98, 123)),
    "a billion blocks": b"Architecture: {name: a, stem: [], stages: [{999999 x: {999999 x: Mean}}], head: [Mean]}",
    "many repeats": b"[{99999999999999999999 x: Mean}]",
    "square two": "[{² x: Mean}]".encode(),
    "date": b"2001-99-99",
    "empty int": b"!!int ''",
    "empty float": b"!!float ''",
    "no bool": b"!!bool x",
    "code": b"!!python/object/apply:os.system ['touch ran']",
    "long number": b"a: " + b"9" * 5000,
    "two documents": b"a\n---\nb",
    "binary": b"!!binary aGVsbG8=",
    "set": b"!!set {a, b}",
    "a list": b"[1, 2]",
    "too large": b"# " + b"x" * (1 << 18),
}  # fmt: skip


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_by_name(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_read_or_refused(tmp_path / "a.yaml", data)
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"], "nothing was executed"


@pytest.mark.parametrize("value", [10**10, -(10**10), 1e300, float("inf"), True, b"x", [1], {}, "x"])
@pytest.mark.parametrize("field", ["width", "stride", "blocks", "name", "image", "drop_path", "init"])
def test_a_strange_value_is_refused_or_read(tmp_path, field, value):
    ((word, said),) = dump(glocal.architecture("convnext_atto")).items()
    place = said["stages"][0]["Stage"] if field in ("width", "stride", "blocks") else said
    place[field] = value
    is_read_or_refused(tmp_path / "a.yaml", yaml.safe_dump({word: said}).encode())


def test_questions_that_are_asked_again_cannot_keep_a_reader_busy(tmp_path):
    """Each answer to all of them is a state to remember: eight questions of eight options have sixteen million."""
    mixers = [{"ConvMixerLayer": {"kernel": k}} for k in range(1, 9)]
    asked = [{"OneOf": {"options": mixers, "name": f"q{i % 8}"}} for i in range(16)]
    stem, head = [{"Patches": {"width": 8, "patch": 4}}], ["Mean", {"Linear": {"width": 2}}]
    space = {"name": "a", "stem": stem, "stages": [{"Stage": {"width": 8, "blocks": asked}}], "head": head}
    assert not is_read_or_refused(tmp_path / "a.yaml", yaml.safe_dump({"Architecture": space}).encode())


def test_a_network_larger_than_the_machine_is_refused_before_it_is_made(tmp_path):
    text = yaml.safe_dump(dump(glocal.architecture("convnext_atto"))).replace("width: 320", "width: 32000000")
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(
        ArchitectureError, match=r"convnext_atto has .* weights, which take .* GiB, and this machine has"
    ):
        glocal.create_model(str(tmp_path / "a.yaml"))


def fuzz(path, n, seed):
    rng = random.Random(seed)
    read = 0
    for _ in range(n):
        if rng.random() < 0.5:
            data = damaged(rng.choice(TEXTS), rng)
        else:
            data = yaml.safe_dump(disturbed(rng.choice(PLAIN), rng), sort_keys=False).encode()
        read += is_read_or_refused(path, data)
    return read


def test_damaged_files_are_read_or_refused(tmp_path):
    assert 0 < fuzz(tmp_path / "a.yaml", 150, seed=0) < 150


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_damaged_files_are_read_or_refused(tmp_path, seed):
    fuzz(tmp_path / "a.yaml", 1000, seed=seed)
