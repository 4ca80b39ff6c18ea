"""`--check` says whether building once more gives the same image, and if not, where they differ."""

import json

import pytest

from builder.check import SHOWN, check_same, compare_images
from builder.errors import CheckError
from builder.oci import BlobStore, Entry, Image, ImageConfig


@pytest.fixture
def make(tmp_path):
    """Return `make(entries, …, **config)`: an image with a layer for each list."""
    store = BlobStore(tmp_path / "store")

    def call(*layers, **config):
        made = [store.add_layer(entries) for entries in layers]
        return Image.assemble(ImageConfig("amd64", **config), made, blobs=store)

    return call


A = Entry.file("a", b"1")


@pytest.mark.parametrize(
    ("layers", "line"),
    [
        ([[Entry.file("a", b"2")]], "layer 1: /a: another content of the same size"),
        ([[Entry.file("a", b"22")]], "layer 1: /a: 1 bytes in the image, 2 in the build"),
        ([[Entry.file("a", b"1", 0o755)]], "layer 1: /a: mode 0644 in the image, 0755 in the build"),
        ([[Entry.symlink("a", "b")]], "layer 1: /a: file in the image, symlink in the build"),
        ([[A, Entry.file("b", b"")]], "layer 1: /b: only in the build"),
        ([[]], "layer 1: /a: only in the image"),
        ([[A], [A]], "layer 2: only the build has it"),
    ],
)
def test_each_kind_of_difference_is_told(make, layers, line):
    """Layer, path, and what differs."""
    assert list(compare_images(make([A]), make(*layers))) == [line]


def test_the_configuration_is_compared_by_key(make):
    """Values that are only in one of them are absent in the other."""
    lines = list(compare_images(make([A], cmd=("a.b",), labels={"x": "1"}), make([A], cmd=("c.d",))))
    assert lines == [
        'configuration, config.Cmd: ["a.b"] in the image, ["c.d"] in the build',
        'configuration, config.Labels: {"x": "1"} in the image, absent in the build',
    ]


def test_the_same_image_passes_and_a_long_list_is_cut(make):
    """No difference, no error; hundreds of them, twenty lines and a count."""
    check_same(make([A]), make([A]), name="oci:x")
    many = [Entry.file(f"{number:03}", b"") for number in range(100)]
    with pytest.raises(CheckError) as told:
        check_same(make([]), make(many), name="oci:x")
    assert len(told.value.details.splitlines()) == SHOWN + 1
    assert "and 80 more" in told.value.details


def test_a_build_checks_what_it_wrote_and_finds_a_change(build_image, function, tmp_path):
    """Exit 0 for the same folder, from an empty cache; 17 after a change, and nothing is written."""
    source = function()
    built = json.loads(build_image(source, "-o", f"oci:{tmp_path}/image", "--json", "--no-prove").out)
    done = build_image(source, "--check", f"oci:{tmp_path}/image")
    assert (done.code, done.out.strip()) == (0, built["digest"]), done.err
    (source / "app.py").write_text("def handler(event, context):\n    return 1\n")
    done = build_image(source, "--check", f"oci:{tmp_path}/image")
    assert done.code == 17
    assert "layer 3: /var/task/app.py: " in done.err
    assert not (tmp_path / "dist").exists()
