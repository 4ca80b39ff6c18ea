"""Outputs are named unambiguously, refused early, and replaced only where they are ours."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cache import Cache
from builder.errors import ImageError, OutputError, SourceError
from builder.interpreter import this_platform
from builder.oci import BlobStore, Entry, Image, ImageConfig, write_index_layout, write_layout
from builder.outputs import Output, check_outputs, inside, open_image, parse_output, parse_reference, write_output
from builder.patterns import Patterns

MARK = "var/runtime/bootstrap/__main__.py"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", print)


@pytest.fixture
def image(cache: Cache) -> Image:
    """A small image that looks like one of ours."""
    store = BlobStore(cache.blobs)
    layer = store.add_layer([Entry.file(MARK, b"print()"), Entry.file("var/task/app.py", b"x = 1", 0o644)])
    return Image.assemble(ImageConfig("amd64", cmd=("app.handler",)), [layer], blobs=store)


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("oci:a", "oci", "a"),
        ("tar:a/b.tar", "tar", "a/b.tar"),
        ("rootfs:/x", "rootfs", "/x"),
        ("docker", "docker", ""),
        ("oci:a:b", "oci", "a:b"),
        ("tar:with space", "tar", "with space"),
    ],
)
def test_a_well_formed_output_is_its_kind_and_place(text, kind, target):
    assert parse_output(text) == Output(kind, target)
    assert str(parse_output(text)) == text


@pytest.mark.parametrize(
    "text", ["", "oci", "oci:", "tar:", "docker:", "docker:x", "elf:x", "OCI:x", "x", ":x", "oci:a\0b"]
)
def test_any_other_text_is_refused_with_where_it_came_from(text):
    with pytest.raises(OutputError, match="BUILD_IMAGE_OUTPUT") as caught:
        parse_output(text, origin="the environment, BUILD_IMAGE_OUTPUT")
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dist/x", "-o oci:dist/x"),
        ("./x.tar", "-o tar:./x.tar"),
        ("x.zip", "-o zip:x.zip"),
        ("elf:x", "-o tar:image.tar"),
        ("..", "-o tar:image.tar"),
        ("docker:hello", "-o docker -t hello."),
    ],
)
def test_a_place_without_its_kind_is_told_the_kind_it_may_be(text, hint):
    with pytest.raises(OutputError) as caught:
        parse_output(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("hello", "hello", "latest"),
        ("hello:1.0", "hello", "1.0"),
        ("team/hello", "team/hello", "latest"),
        ("localhost:5000/hello", "localhost:5000/hello", "latest"),
        ("localhost:5000/hello:v2", "localhost:5000/hello", "v2"),
        ("example.com/a/b_c:X.y-Z", "example.com/a/b_c", "X.y-Z"),
        ("a:" + "t" * 128, "a", "t" * 128),
    ],
)
def test_a_reference_is_a_name_and_a_tag(text, name, tag):
    assert parse_reference(text) == (name, tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "a b",
        "a:",
        ":a",
        "a/",
        "/a",
        "a//b",
        "a:t:u",
        "a@sha256:" + "0" * 64,
        "a:" + "t" * 129,
        "-a",
        "a\n",
        "é",
    ],
)
def test_what_no_registry_takes_is_refused(text):
    with pytest.raises(OutputError, match="no image name"):
        parse_reference(text, origin="--tag")


@given(
    st.from_regex(r"([a-z0-9]+(\.[a-z0-9]+)?/)?[a-z0-9]+([._-][a-z0-9]+)*(:[A-Za-z0-9_][\w.-]{0,20})?", fullmatch=True)
)
def test_parsing_a_rendered_reference_changes_nothing(text):
    try:
        name, tag = parse_reference(text)
    except OutputError:
        return
    assert parse_reference(f"{name}:{tag}") == (name, tag)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\n\r", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1
)


@given(name=NAMES.filter(lambda name: name not in {".", ".."}))
def test_an_output_in_the_functions_folder_is_no_part_of_it(name):
    """Whatever signs its name holds, the pattern matches that place alone."""
    source = Path("/nowhere/fn")
    (pattern,) = inside(source, [Output("oci", str(source / name))])
    patterns = Patterns([pattern])
    assert patterns.match(name)
    assert patterns.match(f"{name}/index.json")
    assert not patterns.match("x" + name)


def test_outputs_elsewhere_are_not_looked_for_in_the_folder(tmp_path):
    outputs = [Output("docker", ""), Output("oci", str(tmp_path / "out")), Output("oci", str(tmp_path / "fn"))]
    assert inside(tmp_path / "fn", outputs) == ()


def test_documents_in_the_functions_folder_are_no_part_of_it(tmp_path):
    """A report of the last build would change the image of the next."""
    assert inside(tmp_path, [], [str(tmp_path / "dist/report.html"), "/elsewhere/x.json"]) == ("dist/report.html",)


def test_a_link_to_the_folder_is_the_folder(tmp_path):
    (tmp_path / "fn").mkdir()
    (tmp_path / "link").symlink_to("fn")
    assert inside(tmp_path / "link", [Output("tar", str(tmp_path / "fn/a.tar"))]) == ("a.tar",)


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_full_folder(place: Path) -> None:
    place.mkdir()
    (place / "mine").write_text("mine")


@pytest.mark.parametrize(
    ("kind", "occupy"),
    [("oci", a_file), ("oci", a_full_folder), ("rootfs", a_file), ("rootfs", a_full_folder), ("tar", a_full_folder)],
)
def test_somebody_elses_place_is_refused_before_the_build_and_at_the_end(tmp_path, image, cache, kind, occupy):
    place = tmp_path / "place"
    occupy(place)
    output = Output(kind, str(place))
    with pytest.raises(OutputError, match=f"writing {kind}:"):
        check_outputs([output])
    with pytest.raises(OutputError, match=f"writing {kind}:"):
        write_output(output, image, "hello", cache)
    assert place.read_text() == "mine" if place.is_file() else names(place) == ["mine"]


@pytest.mark.parametrize("kind", ["oci", "tar", "rootfs"])
def test_an_output_is_replaced_when_it_is_written_again(tmp_path, image, cache, kind):
    output = Output(kind, str(tmp_path / "deep/er/place"))
    write_output(output, image, "hello:1", cache)
    first = content(Path(output.target))
    check_outputs([output])
    write_output(output, image, "hello:1", cache)
    assert content(Path(output.target)) == first
    assert names(tmp_path / "deep/er") == ["place"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(place: Path) -> object:
    if place.is_file():
        return place.read_bytes()
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["oci", "tar", "rootfs"])
def test_a_failing_write_leaves_what_was_there(tmp_path, image, cache, kind):
    """A blob is damaged after the first write: the second fails, and the first result stands."""
    output = Output(kind, str(tmp_path / "out/place"))
    write_output(output, image, "hello", cache)
    before = content(Path(output.target))
    blob = BlobStore(cache.blobs).path(image.layers[0].descriptor.digest)
    damaged = bytearray(blob.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    blob.unlink()  # a layout may share the file
    blob.write_bytes(damaged)
    with pytest.raises(OutputError):
        write_output(output, image, "hello", cache)
    assert content(Path(output.target)) == before
    assert names(tmp_path / "out") == ["place"]


def test_the_root_folder_of_a_rootfs_has_the_same_mode_under_any_umask(tmp_path, image, cache):
    before = os.umask(0o077)
    try:
        write_output(Output("rootfs", str(tmp_path / "root")), image, "hello", cache)
    finally:
        os.umask(before)
    assert (tmp_path / "root").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "root/var/task/app.py").stat().st_mode & 0o777 == 0o644


def test_a_link_to_a_rootfs_stays_a_link(tmp_path, image, cache):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_output(Output("rootfs", str(tmp_path / "link")), image, "hello", cache)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / MARK).exists()


@pytest.mark.parametrize(
    ("one", "other"), [("oci:x", "oci:x"), ("oci:x", "tar:x"), ("rootfs:x", "oci:x/y"), ("oci:./x", "rootfs:x/../x")]
)
def test_two_outputs_in_one_place_are_refused(tmp_path, monkeypatch, one, other):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="one would replace the other"):
        check_outputs([parse_output(one), parse_output(other)])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("folder", "writing folder: it is a folder"),
        ("file/report.html", "writing file/report.html: '.*/file' is a file, and no folder"),
        ("image.tar", "writing tar:image.tar and image.tar: one would replace the other"),
    ],
)
def test_a_document_that_could_not_be_written_is_told_before_the_build(tmp_path, monkeypatch, document, message):
    """A report, an SBOM, a list of names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=message):
        check_outputs([parse_output("tar:image.tar")], [document])
    check_outputs([parse_output("tar:image.tar")], ["new/folder/report.html", "file"])


def test_neighbours_are_no_conflict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_outputs([parse_output(text) for text in ("oci:x", "tar:x.tar", "rootfs:y", "docker")])


@pytest.mark.parametrize("kind", ["oci", "tar"])
def test_an_image_reads_back_with_its_digest(tmp_path, image, cache, kind):
    write_output(Output(kind, str(tmp_path / "out")), image, "hello", cache)
    assert open_image(f"{kind}:{tmp_path}/out").digest == image.digest


def test_of_several_platforms_this_machines_image_is_meant(tmp_path, image):
    """Or the one that was asked for; one image alone is meant whatever it is for."""
    foreign = "s390x"
    other = Image.assemble(replace(image.config, architecture=foreign), image.layers, blobs=image.blobs)
    here = Image.assemble(
        replace(image.config, architecture=this_platform().partition("/")[2]), image.layers, blobs=image.blobs
    )
    write_index_layout([other, here], tmp_path / "all")
    write_layout(other, tmp_path / "other")
    assert open_image(f"oci:{tmp_path}/all").digest == here.digest
    assert open_image(f"oci:{tmp_path}/all", f"linux/{foreign}").digest == other.digest
    assert open_image(f"oci:{tmp_path}/other").digest == other.digest


@pytest.mark.parametrize("text", ["rootfs:x", "docker", "oci:", "x", "docker:hello"])
def test_only_two_kinds_can_be_read(text):
    with pytest.raises(SourceError, match="neither oci:DIR nor tar:FILE"):
        open_image(text)


@pytest.mark.parametrize("kind", ["oci", "tar"])
def test_what_is_no_image_is_an_image_error(tmp_path, kind):
    with pytest.raises(ImageError, match=f"reading {kind}:"):
        open_image(f"{kind}:{tmp_path}/missing")


@pytest.mark.parametrize("head", [b"", b"\0" * 257 + b"ustar\0" + b"\0" * 249])
def test_an_earlier_archive_or_an_empty_file_may_be_replaced(tmp_path, head):
    (tmp_path / "image.tar").write_bytes(head)
    check_outputs([Output("tar", str(tmp_path / "image.tar"))])


def test_a_data_file_named_by_mistake_is_not_replaced(tmp_path):
    """An archive may take an archive's place, and no other file's."""
    (tmp_path / "weights.json").write_text("{}")
    with pytest.raises(OutputError, match="is no image archive"):
        check_outputs([Output("tar", str(tmp_path / "weights.json"))])
    assert (tmp_path / "weights.json").read_text() == "{}"
