"""Single pictures of a manifest can be read again, of whatever form the source is."""

import numpy as np
import pytest

from glocal.data import check, decode
from glocal.data.reading import picture_reader
from glocal.errors import DataError


def test_a_picture_of_a_folder_is_what_decoding_it_gives(colours):
    manifest = check(colours).require_data().manifest()
    read = picture_reader(str(colours), manifest)
    for row in manifest.rows["val"][:3]:
        assert np.array_equal(read(row.path), decode(colours / row.path))


def test_a_picture_that_has_gone_is_an_error_and_so_is_a_source(colours):
    manifest = check(colours).require_data().manifest()
    read, path = picture_reader(str(colours), manifest), manifest.rows["val"][0].path
    (colours / path).unlink()
    with pytest.raises(DataError, match=f"{path}: there is no such file"):
        read(path)
    with pytest.raises(DataError, match="there is no such folder"):
        picture_reader(str(colours / "nowhere"), manifest)


def test_digits_are_read_by_their_names():
    manifest = check("digits").require_data().manifest()
    read = picture_reader("digits", manifest)
    assert read(manifest.rows["val"][0].path).shape == (8, 8, 1)
    with pytest.raises(DataError, match="not one of the built-in digits"):
        read("digits/9999")
