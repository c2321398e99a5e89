"""Pictures of networks: every family, as .png and .svg, with what the paper writes into its Figure 5."""

from dataclasses import replace
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from glocal.errors import RunError, SearchError
from glocal.families import architecture
from glocal.reporting import draw_network
from glocal.reporting.network_picture import A_LINE, network_svg

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return ["".join(element.itertext()).strip() for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_glit_tiny_shows_heads_fields_and_costs_of_each_block():
    drawn = texts(network_svg(architecture("glit_tiny")))
    assert [drawn.count(text) for text in ("1 head", "3 heads")] == [3, 5]
    assert [drawn.count(text) for text in ("K 31", "K 45", "K 17")] == [5, 2, 0]
    assert [drawn.count(f"d_z {m}") for m in (2, 4, 6)] == [2, 7, 3]
    assert drawn.count("d_k 384") == 1
    assert "7.26 M parameters, 1.47 G multiply-adds, pictures of 224×224" in drawn
    assert "175 M" in drawn
    assert "192 wide, 14×14 + 1 tokens" in drawn


@pytest.mark.parametrize("name", ["coatnet_0", "convmixer_768_32", "glit_tiny_area_14", "resnet50"])
def test_every_family_has_its_picture(name, tmp_path):
    arch = architecture(name)
    draw_network(arch, tmp_path / "plots" / "it.png")
    with Image.open(tmp_path / "plots" / "it.png") as image:
        assert min(image.size) > 400
    drawn = texts(network_svg(arch))
    depth = sum(len(stage.blocks) for stage in arch.stages)
    assert all(str(i) in drawn for i in range(depth))
    assert drawn.count("channels") == -(-depth // A_LINE)


def test_a_network_without_feed_forward_has_no_row_for_it():
    assert not any("d_z " in text for text in texts(network_svg(architecture("convmixer_768_32"))) if ":" not in text)


def test_the_same_network_is_the_same_file():
    arch = architecture("glit_tiny")
    assert network_svg(arch) == network_svg(arch)


def test_names_are_taken_as_they_are():
    assert "<b> & $x$" in texts(network_svg(replace(architecture("glit_tiny"), name="<b> & $x$")))


def test_settings_of_a_caller_are_left_alone(tmp_path):
    before = dict(mpl.rcParams)
    draw_network(architecture("glit_tiny"), tmp_path / "it.svg")
    assert dict(mpl.rcParams) == before


def test_a_form_that_is_not_written_is_named(tmp_path):
    with pytest.raises(SearchError, match=r"it.gif: figures are written as .png or .svg"):
        draw_network(architecture("glit_tiny"), tmp_path / "it.gif")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be written"):
        draw_network(architecture("glit_tiny"), tmp_path / "file" / "it.png")
