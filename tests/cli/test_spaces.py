"""`glocal show SPACE`: its size, its costs and its questions; and docs/spaces.md does what it says."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from glocal.cli.app import app
from glocal.cli.networks.spaces import options_text, where
from glocal.design import OneOf, Stage, cost, dump, load, vary
from glocal.errors import ArchitectureError, RecipeError
from glocal.families import architecture, vocabulary
from glocal.families.coatnet import MBConv
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.spaces import list_spaces, space

DOC = (Path(__file__).parents[2] / "docs" / "spaces.md").read_text()


def show(*words):
    done = CliRunner(env={"COLUMNS": "140"}).invoke(app, ["show", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.output.splitlines())


def blocks(language):
    return re.findall(rf"```{language}[^\n]*\n(.*?)\n```", DOC, re.DOTALL)


@pytest.fixture
def mine(tmp_path):
    (text,) = blocks("yaml")
    (tmp_path / "mine.yaml").write_text(text)
    return tmp_path / "mine.yaml"


# ------------------------------------------------------------------------------------------------------ the page


def test_the_dozen_lines_of_the_docs_are_a_space_and_print_what_the_docs_show(mine):
    assert len(mine.read_text().splitlines()) == 12
    assert show(mine) in DOC


def test_the_python_of_the_docs_prints_what_it_says(capsys):
    code = "\n".join(blocks("python"))
    exec(code, {})
    said = re.findall(r"^print\(.*?\)\s+# (.*)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_the_table_of_the_docs_names_every_space():
    named = {name for name in list_spaces() if f"`{name}`" in DOC}
    assert {name for name in list_spaces() if not name.startswith(("glit_small", "glit_base", "glit_cifar"))} == named


def test_equal_questions_are_one_line():
    page = show("glit_tiny_details")
    assert "glit_tiny_details: 2.8e+11 networks at 3x224x224, by 12 questions" in page
    assert re.search(r"weights +3\.8 M +\S+ M +9\.22 M", page)
    assert re.search(
        r"blocks\.0,3,6,9,11 +9  GLiTBlock\(\): qkv 0\.5, 1\.0, 2\.0; mlp 2\.0, 4\.0, 6\.0$", page, re.MULTILINE
    )
    assert len(page.splitlines()) < 14
    layouts = show("coatnet_layouts")
    assert re.search(r"stages\.1 +5  depth of S2: 1, 2, 3, 5, 6 blocks$", layouts, re.MULTILINE)
    row = r"stages\.2\.blocks\.0-13 +4  layout: MBConv\(\) \| MBConv\(\) \| RelativeTransformer\(\) \| RelativeTransformer\(\)$"
    assert re.search(row, layouts, re.MULTILINE)
    assert "(198 of 324)" in show("glit_cifar_joint")


def test_what_is_inferred_says_so():
    assert "options: as Table 2's for Tiny; those of this size are not known to us" in show("glit_base_details")
    assert "not known" not in show("glit_tiny_details")
    assert json.loads(show("glit_small_joint", "--json"))["inferred"]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["stages.0.blocks.0"], "stages.0.blocks.0"),
        ([f"stages.0.blocks.{i}" for i in (0, 1, 2, 4, 9, 10)], "stages.0.blocks.0-2,4,9-10"),
        (["stages.0.blocks.3", "stages.1.blocks.0", "stages.1.blocks.1"], "stages.0.blocks.3 stages.1.blocks.0-1"),
        (["stages.0", "stages.1"], "stages.0-1"),
        (["stages.0.downsample"], "stages.0.downsample"),
    ],
)
def test_paths_are_folded(paths, said):
    assert where(paths) == said


def test_options_are_said_by_what_differs():
    mixers = vary(ConvMixerLayer(3), {"kernel": (7, 3), "act": ("relu", "gelu")})
    assert options_text(mixers) == "ConvMixerLayer(): kernel 3, 7; act 'relu', 'gelu'"
    assert options_text(OneOf((*mixers.options[:3], MBConv()))) == (
        "ConvMixerLayer(): kernel 3, 7; act 'relu', 'gelu' (3 of 4) | MBConv()"
    )
    assert options_text(OneOf((MBConv(), MBConv()))) == "MBConv() | MBConv()"
    assert options_text(OneOf((mixers, MBConv()))) == f"{options_text(mixers)} | MBConv()"
    assert options_text(OneOf((Stage(8, (MBConv(),)), Stage(8, (MBConv(),) * 4)))) == "1, 4 blocks"
    assert options_text(OneOf((Stage(8, ()), Stage(4, (MBConv(),))))) == "Stage(8, ()) | Stage(4, (MBConv(),))"


# ------------------------------------------------------------------------------------------------------ other forms


def test_a_space_is_also_json_yaml_and_python(mine):
    found = space(str(mine))
    told = json.loads(show(mine, "--json"))
    assert (told["networks"], sorted(told["params"])) == (6912, ["least", "median", "most"])
    assert told["questions"][0] == {
        "paths": [f"stages.0.blocks.{i}" for i in range(3)],
        "name": "",
        "options": 3,
        "asked": "ConvMixerLayer(): kernel 3, 5, 7",
    }
    assert load(told["architecture"], vocabulary()) == found
    assert load(yaml.safe_load(show(mine, "--yaml")), vocabulary()) == found
    imports, expression = show(mine, "--python").split("\n\n")
    names = {}
    exec(imports, names)
    assert eval(expression, names) == found


def test_answers_show_one_network():
    said = json.loads(show("glit_tiny_details", "--answers", "1-4-8-4-8-8-3-6-8-4-5-8", "--json"))
    assert (said["params"], said["macs"]) == cost(architecture("glit_tiny"))
    assert said["architecture"]["Architecture"]["stages"] == dump(architecture("glit_tiny"))["Architecture"]["stages"]
    assert "depthwise1d1" in show("glit_cifar_distribution", "--answers", "-".join("0" * 12), "--ops")


def test_a_space_is_shown_for_another_task():
    page = show("hybrid_cifar", "--img-size", "64", "--classes", "100")
    assert "networks at 3x64x64" in page


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["hybrid_cifar", "--ops"], RecipeError, "--ops spells one network, and hybrid_cifar is a space of many"),
        (["glit_tiny", "--answers", "0"], RecipeError, "--answers chooses a network of a space, and glit_tiny is one"),
        (["hybrid_cifar", "--answers", "a-b"], RecipeError, "give one number a question, in forward order"),
        (["hybrid_cifar", "--answers", "0-1"], ArchitectureError, "asks 10 questions; the sheet has 2 answers"),
        (["hybrid_cifra"], ArchitectureError, "no space is called 'hybrid_cifra'; did you mean hybrid_cifar"),
        (["hybrid_cifar", "--img-size", "4"], ArchitectureError, "pictures of 4x4 do not fit hybrid_cifar; 8x8 would"),
    ],
)
def test_mistakes_are_answered(words, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        CliRunner().invoke(app, ["show", *words], catch_exceptions=False)


def test_the_list_of_models_ends_with_the_spaces():
    out = CliRunner(env={"COLUMNS": "140"}).invoke(app, ["models"], catch_exceptions=False).output
    assert out.splitlines()[-1].endswith("hybrid_224, hybrid_cifar")
