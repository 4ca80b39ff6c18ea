"""Names of images on this machine, and what is said to a path without its kind."""

from pathlib import Path

import pytest

from builder.errors import SourceError
from builder.image_names import hint_without_kind, is_local, split_local


def test_a_local_name_has_a_kind_and_a_place():
    assert split_local("oci:dist/hello") == ("oci", Path("dist/hello"))
    assert split_local("tar:a:b.tar") == ("tar", Path("a:b.tar"))
    assert [is_local(text) for text in ("oci:x", "tar:x", "docker:x", "python:3.13", "dist/x")] == [True] * 2 + [
        False
    ] * 3


@pytest.mark.parametrize("text", ["", "oci:", "hello", "docker:hello", "rootfs:hello"])
def test_another_form_is_refused_with_an_example(text):
    with pytest.raises(SourceError, match="is neither oci:DIR nor tar:FILE") as caught:
        split_local(text)
    assert caught.value.hint == "For example oci:dist/hello."


def test_a_path_is_named_with_the_kind_that_it_is(tmp_path):
    """A file can only be an archive; a folder is an image if it is a layout, and else nothing is guessed."""
    layout, archive = tmp_path / "layout", tmp_path / "image.tar"
    layout.mkdir()
    archive.touch()
    (layout / "oci-layout").touch()
    assert hint_without_kind(str(layout)) == f"For an image say oci:{layout}."
    assert hint_without_kind(str(archive)) == f"For an image say tar:{archive}."
    assert hint_without_kind(str(tmp_path)) == hint_without_kind(str(tmp_path / "missing")) == ""
    with pytest.raises(SourceError) as caught:
        split_local(str(layout))
    assert caught.value.hint == f"For an image say oci:{layout}."
