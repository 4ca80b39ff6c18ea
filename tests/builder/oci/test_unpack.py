import gzip
import os
import random
import stat
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci import (
    BlobError,
    Digest,
    Entry,
    Image,
    ImageConfig,
    ImageError,
    Layer,
    LimitError,
    Limits,
    OCIError,
    TargetError,
    UnsupportedError,
    hold_tar,
    media_types,
    unpack,
    unpack_held,
)
from builder.oci.aside import empty_folder

MANY = [Entry.file(f"many/{n}", bytes(n)) for n in range(50)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_tar_in_memory_gives_the_tree_that_its_blob_gives(store, out, tmp_path, tree_of):
    entries = [Entry.file("a/b", random.Random(0).randbytes(3_000_000), 0o755), Entry.symlink("l", "a"), *MANY]
    tar = hold_tar(entries)
    unpack(Image.assemble(ImageConfig("amd64"), [store.add_held(tar)], blobs=store), tmp_path / "blob")
    unpack_held(tar, out)
    assert tree_of(out) == tree_of(tmp_path / "blob")


def test_a_tar_in_memory_leaves_nothing_when_it_is_interrupted(out):
    def interrupted(member, content):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack_held(hold_tar(MANY), out, watch=interrupted)
    assert not out.exists()


@pytest.fixture
def apply(image_of_tars, tar_of, tree_of, out):
    """Unpack layers given as lists of members, and give what is in the folder then."""

    def run(*layers):
        unpack(image_of_tars(*(tar_of(*layer) for layer in layers)), out)
        return tree_of(out)

    return run


def test_our_own_images(image, out, tree_of):
    """What was put into layers comes out again."""
    done = unpack(image, out)
    assert tree_of(out) == {
        "lib": "/",
        "lib/data": random.Random(0).randbytes(200_000),
        "lib/link": "-> data",
        "task": "/",
        "task/app.py": b"print()\n",
        "task/empty": "/",
    }
    assert done.entries == 6
    assert done.skipped == ()
    assert done.bytes == sum(layer.size_uncompressed for layer in image.layers)


GONE = {"d/a": None, "d/s": None, "d/s/b": None}
LOWER = [("d", "directory"), ("d/a", "file", b"1"), ("d/s/b", "file", b"2"), ("f", "file", b"3"), ("l", "symlink", "d")]


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([("f", "file", b"4")], {"f": b"4"}),
        ([("f", "directory")], {"f": "/"}),
        ([("f", "symlink", "x")], {"f": "-> x"}),
        ([("d", "file", b"5")], {"d": b"5", "d/a": None, "d/s": None, "d/s/b": None}),
        ([("l", "file", b"6")], {"l": b"6"}),
        ([("l", "directory")], {"l": "/"}),
        ([("l/n", "file", b"7")], {"d/n": b"7"}),
        ([(".wh.f", "file")], {"f": None}),
        ([("d/.wh.a", "file")], {"d/a": None}),
        ([("l/.wh.a", "file")], {"d/a": None}),
        ([(".wh.d", "file")], {"d": None, "d/a": None, "d/s": None, "d/s/b": None}),
        ([(".wh.l", "file")], {"l": None}),
        ([(".wh.none", "file"), ("none/.wh.x", "file"), ("none/.wh..wh..opq", "file")], {}),
        ([("d/.wh..wh..opq", "file")], {"d/a": None, "d/s": None, "d/s/b": None}),
        ([("d/n", "file", b"8"), ("d/.wh..wh..opq", "file")], {"d/n": b"8", "d/a": None, "d/s": None, "d/s/b": None}),
        ([("d/.wh..wh..opq", "file"), ("d/s/n", "file", b"9")], {"d/a": None, "d/s/n": b"9", "d/s/b": None}),
        ([("d/s/n", "file", b"9"), ("d/.wh..wh..opq", "file")], {"d/a": None, "d/s/n": b"9", "d/s/b": None}),
        ([("f", "file", b"new"), (".wh.f", "file")], {"f": b"new"}),
        ([("d/n", "file", b"n"), (".wh.d", "file")], {"d/n": b"n", "d/a": None, "d/s": None, "d/s/b": None}),
        (
            [(".wh.d", "file"), ("d/n", "file", b"n"), (".wh.d", "file"), ("d/.wh..wh..opq", "file")],
            {"d/n": b"n"} | GONE,
        ),
        (
            [("d/n", "file", b"n"), ("d/.wh..wh..opq", "file"), ("d/m", "file", b"m"), (".wh.d", "file")],
            {"d/n": b"n", "d/m": b"m"} | GONE,
        ),
        ([(".wh..wh..opq", "file"), ("n", "file", b"n")], {"n": b"n", "d": None, "f": None, "l": None} | GONE),
        ([(".wh..wh.plnk", "directory"), (".wh..wh.aufs", "file")], {}),
        ([("h", "hardlink", "d/a")], {"h": b"1"}),
        ([("h", "hardlink", "l/a")], {"h": b"1"}),
        ([("h", "hardlink", "l")], {"h": "-> d"}),
        ([("f", "hardlink", "f")], {}),
        ([("./x/./y//z", "file", b"z"), ("./", "directory")], {"x": "/", "x/y": "/", "x/y/z": b"z"}),
    ],
)
def test_a_layer_over_another(apply, upper, expected):
    """Replacing, whiteouts and links do what the specification says, in any order within a layer."""
    lower = {"d": "/", "d/a": b"1", "d/s": "/", "d/s/b": b"2", "f": b"3", "l": "-> d"}
    wanted = {name: value for name, value in (lower | expected).items() if value is not None}
    assert apply(LOWER, upper) == wanted


def test_whiteouts_of_each_layer_count(apply):
    """A folder emptied by one layer is emptied again by the next."""
    opaque = ("d/.wh..wh..opq", "file")
    assert apply(LOWER[:3], [opaque, ("d/n", "file", b"")], [opaque, ("d/m", "file", b"m")]) == {"d": "/", "d/m": b"m"}


def test_a_replaced_hard_link_leaves_the_other_name(apply):
    """Two names of one file part when one of them is written again."""
    assert apply([("a", "file", b"1"), ("b", "hardlink", "a")], [("a", "file", b"2")]) == {"a": b"2", "b": b"1"}


@pytest.mark.parametrize(
    "members",
    [
        [("/evil", "file", b"")],
        [("../evil", "file", b"")],
        [("a/../../evil", "file", b"")],
        [("a/..", "directory")],
        [("/evil", "directory")],
        [("../evil", "symlink", "x")],
        [("../evil", "fifo")],
        [("../.wh.evil", "file")],
        [("/.wh.evil", "file")],
        [("../.wh..wh..opq", "file")],
        [(".wh..", "file")],
        [(".wh...", "file")],
        [("a/.wh.", "file")],
        [(".wh.a/b", "file", b"")],
        [("h", "hardlink", "../victim")],
        [("h", "hardlink", "/etc/passwd")],
        [("h", "hardlink", "none")],
        [("h", "hardlink", ".")],
        [("d", "directory"), ("h", "hardlink", "d")],
        [("f", "file", b""), ("f/x", "file", b"")],
        [("a", "symlink", "b"), ("b", "symlink", "a"), ("a/x", "file", b"")],
        [("l", "symlink", "")],
        [("l", "symlink", "t" * 4096)],
        [("l", "symlink", "t" * 200 + "\0t")],
        [("n" * 200 + "\0n", "file", b"")],
        [("n" * 256, "file", b"")],
        [("n/" * 2049 + "n", "file", b"")],
    ],
)
def test_refuses(apply, tmp_path, members, out):
    """Names that lead outside, links to nothing and impossible trees are refused, and nothing is left."""
    (tmp_path / "victim").write_bytes(b"precious")
    with pytest.raises(ImageError, match=r"unpacking .*(outside|no file|no folder|whiteout|too long|target)"):
        apply(members)
    assert not out.exists()
    assert (tmp_path / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize("target", ["{outside}", "../outside", "../../../../../../../..{outside}", "up/outside"])
@pytest.mark.parametrize(
    "attack",
    [
        ("link/new", "file", b"evil"),
        ("link/victim", "file", b"evil"),
        ("link/victim", "symlink", "evil"),
        ("link/victim", "directory"),
        ("link/.wh.victim", "file"),
        ("link/.wh..wh..opq", "file"),
        ("link/deep/er", "directory"),
    ],
)
def test_links_never_lead_outside(apply, tmp_path, target, attack):
    """A link out of the folder is read as inside the image, whatever is done through it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"precious")
    link = ("link", "symlink", target.format(outside=outside))
    apply([("up", "symlink", ".."), link], [attack])
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "outside", "store"]


def test_hard_links_through_links_never_lead_outside(apply, tmp_path):
    """A hard link cannot give a file of the machine a name in the image."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_bytes(b"precious")
    with pytest.raises(ImageError, match="hard link"):
        apply([("link", "symlink", str(tmp_path / "outside")), ("h", "hardlink", "link/victim")])


def test_writing_over_a_link_does_not_follow_it(apply, tmp_path):
    """A file with the name of a link replaces the link."""
    (tmp_path / "victim").write_bytes(b"precious")
    link = ("f", "symlink", str(tmp_path / "victim"))
    assert apply([link, ("f", "file", b"new")], [link], [("f", "file", b"newer")]) == {"f": b"newer"}
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_folder_swapped_for_a_link(apply, tmp_path):
    """What is remembered of a folder is forgotten when something else takes its name."""
    (tmp_path / "outside").mkdir()
    link = ("d", "symlink", str(tmp_path / "outside"))
    apply([("d/a", "file", b""), link, ("d/b", "file", b"")], [("d", "directory"), ("d/c", "file", b"")], [link])
    assert not any((tmp_path / "outside").iterdir())


def test_links_that_change_their_target(apply):
    """A link that is replaced by another leads to the new place."""
    assert apply(
        [("one", "directory"), ("two", "directory"), ("l", "symlink", "one"), ("l/a", "file", b"1")],
        [("l", "symlink", "two"), ("l/a", "file", b"2")],
    ) == {"one": "/", "two": "/", "l": "-> two", "one/a": b"1", "two/a": b"2"}


def test_devices_are_skipped_and_listed(image_of_tars, tar_of, out):
    """Device nodes and fifos are not made, and the result says so."""
    members = [("dev/null", "character device"), ("disk", "block device"), ("pipe", "fifo"), ("f", "file", b"")]
    assert unpack(image_of_tars(tar_of(*members)), out).skipped == ("dev/null", "disk", "pipe")
    assert [path.name for path in out.iterdir()] == ["f"]


def test_modes_times_and_owners(image_of_tars, tar_of, out):
    """Permission bits and files' times are kept, owners and set-id bits are not, sticky stays, all is readable."""
    unpack(
        image_of_tars(
            tar_of(
                ("suid", "file", b"", {"mode": 0o6755, "uid": 12345, "gid": 54321, "mtime": 1_000_000_000}),
                ("closed", "file", b"", {"mode": 0}),
                ("folder", "directory", {"mode": 0o1555}),
                ("folder/x", "file", b"", {"mtime": -5}),
                ("parent/x", "file", b"", {"mtime": 2**40}),
                form=tarfile.GNU_FORMAT,
            )
        ),
        out,
    )
    modes = {name: stat.S_IMODE((out / name).stat().st_mode) for name in ("suid", "closed", "folder", "parent")}
    assert modes == {"suid": 0o755, "closed": 0o400, "folder": 0o1755, "parent": 0o755}
    assert (out / "suid").stat().st_uid == os.geteuid()
    assert [int((out / name).stat().st_mtime) for name in ("suid", "folder/x", "parent/x")] == [10**9, 0, 2**33]


def test_names_that_are_no_unicode(apply, tree_of, out):
    """Linux names are bytes."""
    assert apply([("caf\udce9", "file", b"x")]) == {"caf\udce9": b"x"}


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(max_entries=5), "more than 5 files and folders, which no image of use has; take another"),
        (
            Limits(max_bytes=1_000_000),
            "more than 1,000,000 bytes uncompressed, which no image of use has; take another",
        ),
    ],
)
def test_bombs(image_of_tars, tar_of, out, limits, found):
    """A small blob that unpacks to much, or to many, is ended by the limits and leaves nothing."""
    many = tar_of(("d/" * 6, "directory"))
    large = tar_of(("zeros", "file", bytes(5_000_000)))
    with pytest.raises(LimitError, match=found):
        unpack(image_of_tars(tar_of(("f", "file", b"")), many, large), out, limits=limits)
    assert not out.exists()


def test_millions_of_entries_are_ended_long_before(store, out):
    """A small blob of very many empty files: the limit counts entries, and nothing of them is left."""
    header = tarfile.TarInfo("f").tobuf()
    tar = header * 30_000
    blob = gzip.compress(tar, 1, mtime=0)
    assert len(blob) < len(tar) // 50
    with pytest.raises(LimitError, match="more than 20,000 files and folders"):
        unpack(layer_image(store, blob, Digest.of(tar)), out, limits=Limits(max_entries=20_000))
    assert not out.exists()
    assert Limits().max_entries <= 1_000_000
    assert Limits().max_bytes <= 16 * 1024**3


def test_the_folder_must_be_empty(image, out, tmp_path):
    """Nothing is mixed with what is there; an empty folder is used, and left empty by a failure."""
    with pytest.raises(TargetError, match="not an empty folder; choose another"):
        unpack(image, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TargetError, match="not an empty folder"):
        unpack(image, tmp_path / "file")
    out.mkdir()
    with pytest.raises(LimitError):
        unpack(image, out, limits=Limits(max_entries=4))
    assert not any(out.iterdir())
    unpack(image, out)


def layer_image(store, blob, diff_id, kind=media_types.LAYER_GZIP):
    layer = Layer(store.add(blob, media_type=kind), diff_id)
    return Image.assemble(ImageConfig("amd64"), [layer], blobs=store)


@pytest.mark.parametrize(
    ("blob", "error", "found"),
    [
        (b"", ImageError, "gzip stream is truncated"),
        (b"no gzip", ImageError, "decompressing layer sha256:.*incorrect header"),
        (gzip.compress(bytes(1024), mtime=0)[:-1], ImageError, "gzip stream is truncated"),
        (gzip.compress(bytes(1024), mtime=0) + b"junk", ImageError, "decompressing"),
        (gzip.compress(bytes(1024), mtime=0), BlobError, "uncompressed it is sha256:5f70.*, its configuration says"),
        (gzip.compress(b"x" * 512, mtime=0), ImageError, "no octal number"),
    ],
)
def test_layers_that_are_no_gzip_of_their_diff_id(store, out, blob, error, found):
    """A blob that is what its digest says may still be no layer."""
    with pytest.raises(error, match=found):
        unpack(layer_image(store, blob, Digest.of(b"other")), out)


def test_other_compressions(store, out):
    """Layers in zstd are refused by name, plain and many-membered ones read."""
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    with pytest.raises(UnsupportedError, match="convert the image to OCI with gzip layers"):
        unpack(layer_image(store, b"", Digest.of(b""), kind), out)
    unpack(layer_image(store, bytes(1024), Digest.of(bytes(1024)), media_types.LAYER_TAR), out / "plain")
    many = gzip.compress(bytes(512), mtime=0) * 2
    unpack(layer_image(store, many, Digest.of(bytes(1024))), out / "many")


NAMES = st.lists(st.sampled_from(["a", "b", "l", "..", ".", "", ".wh.a", ".wh..wh..opq"]), min_size=1, max_size=4).map(
    "/".join
)
MEMBERS = st.lists(
    st.one_of(
        st.tuples(NAMES, st.just("file"), st.just(b"x")),
        st.tuples(NAMES, st.just("directory")),
        st.tuples(NAMES, st.sampled_from(["symlink", "hardlink"]), NAMES),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(MEMBERS, min_size=1, max_size=3))
def test_any_layers_stay_inside(image_of_tars, tar_of, tmp_path, tree_of, layers):
    """Whatever the layers say, nothing beside the folder changes, and only our errors are raised."""
    arena = tmp_path / "arena"
    folder = arena / "l" / "out"
    folder.mkdir(parents=True, exist_ok=True)
    (arena / "l" / "a").write_bytes(b"precious")
    image = image_of_tars(*(tar_of(*layer) for layer in layers))
    try:
        unpack(image, folder / "in")
    except OCIError as error:
        assert isinstance(error, ImageError)  # noqa: PT017 - no error is fine too
        assert not any(folder.iterdir())
    finally:
        found = {name: value for name, value in tree_of(arena).items() if not name.startswith("l/out/")}
        assert found == {"l": "/", "l/a": b"precious", "l/out": "/"}
        empty_folder(folder)


def test_own_layers_read_back_with_many_files(make_image, out):
    """Many small files in many folders come out with their contents."""
    entries = [Entry.file(f"d{n % 37}/e{n % 11}/f{n}", b"%d" % n) for n in range(3000)]
    unpack(make_image(entries), out)
    assert all((out / entry.path).read_bytes() == entry.source for entry in entries)
