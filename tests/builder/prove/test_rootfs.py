"""Each way of running an image keeps what it promises, seen from inside a handler."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.errors import ImageError, ProofError
from builder.oci import BlobStore, Entry, History, Image, ImageConfig
from builder.project import Event
from builder.prove import prove
from builder.prove.rootfs import METHODS, best_method, runnable
from builder.prove.unpacked import unpacked
from tests.conftest import elsewhere

ALL = pytest.mark.parametrize("method", METHODS)


def ask(image: Image, cache: Cache, method: str, *events: dict, timeout_s: float = 30) -> list:
    """Send events that no proof remembers, and give the answers."""
    unique = [
        Event(f"{index}-{os.urandom(4).hex()}", json.dumps(event).encode(), None) for index, event in enumerate(events)
    ]
    return [
        json.loads(answer.payload) for answer in prove(image, unique, cache, method=method, timeout_s=timeout_s).answers
    ]


@pytest.fixture
def host_file(tmp_path: Path) -> str:
    """A file of this machine that any user may read."""
    file = tmp_path / "host-file"
    file.write_text("x")
    return str(file)


@pytest.mark.parametrize("method", ["namespace", "chroot"])
def test_a_sandbox_is_a_stranger_without_privileges_who_sees_the_image_only(image, cache, method, host_file):
    (seen,) = ask(image, cache, method, {"do": "look", "host": host_file})
    assert (seen["uid"], seen["gid"], seen["groups"]) == (12345, 12345, [])
    if method == "namespace":  # a chroot has no /proc to ask
        assert seen["capabilities"] == [0, 0, 0, 0]
        assert seen["no_new_privileges"] == "1"
    assert seen["changes_user"] is False
    assert seen["localhost"] == "127.0.0.1"
    assert seen["sees_host_file"] is False
    assert seen["cwd"] == "/var/task"
    assert {"lib64", "tmp", "var", "opt", "home", "root", "usr"} & set(seen["top"]) <= {
        "lib64",
        "tmp",
        "var",
        "opt",
        "usr",
    }
    assert seen["python"].startswith("/var/lang/bin/python3")


def test_in_a_namespace_only_tmp_can_be_written(image, cache):
    if best_method(cache) != "namespace":
        elsewhere("it forbids namespaces")
    (seen,) = ask(image, cache, "namespace", {"do": "look"})
    assert [path for path, can in seen["writes"].items() if can] == ["/tmp/x"]
    assert seen["devices"] == ["full", "null", "random", "urandom", "zero"]


def test_in_a_chroot_the_uid_can_write_tmp_and_nothing_else(image, cache, root):
    (seen,) = ask(image, cache, "chroot", {"do": "look"})
    assert [path for path, can in seen["writes"].items() if can] == ["/tmp/x"]


def test_in_place_uses_the_images_python_and_libraries_and_says_that_the_host_is_there(image, cache, host_file):
    (seen,) = ask(image, cache, "in place", {"do": "look", "host": host_file})
    assert seen["sees_host_file"] is True
    assert seen["cwd"].endswith("/var/task")
    assert all(
        path.startswith(str(cache.folder)) for path in seen["modules_from"] if not path.startswith("/opt/python")
    )


@ALL
def test_the_environment_is_the_images_and_the_platforms(image, cache, method, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_BUILD", "x")
    (seen,) = ask(image, cache, method, {"do": "look"})
    assert "SECRET_OF_THE_BUILD" not in seen["environment"]
    assert {"LAMBDA_TASK_ROOT", "PATH", "AWS_LAMBDA_RUNTIME_API"} <= set(seen["environment"])


@ALL
def test_what_a_handler_writes_or_leaves_behind_is_gone_with_the_proof(image, cache, method):
    left = Path(f"/tmp/firkin-left-{os.getpid()}")
    answers = ask(image, cache, method, {"do": "child"}, {"do": "leave", "file": str(left)})
    assert answers == ["left one behind", "left"]
    if method == "in place":
        left.unlink()  # there /tmp is this machine's, as its description says
    assert not left.exists()
    assert list((cache.folder / "tmp").iterdir()) == []
    mine = [line for line in processes() if str(cache.folder) in line]
    assert mine == []


def processes() -> list[str]:
    """The command lines of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


@ALL
@pytest.mark.parametrize(
    ("deed", "words", "log"),
    [
        ("raise", "as asked", "before it fails"),
        ("exit", "exit status 3", "before it ends"),
        ("hang", "timed out after 1.00 seconds", "before it hangs"),
        ("flood", "after the flood", "the last line"),
    ],
)
def test_a_failing_event_is_an_error_with_the_log_of_the_run(image, cache, method, deed, words, log):
    with pytest.raises(ProofError, match="event '0-") as caught:
        ask(image, cache, method, {"do": deed}, timeout_s=1 if deed == "hang" else 30)
    assert words in str(caught.value)
    assert log in caught.value.details
    assert len(caught.value.details) < 30_000
    assert "Nothing was written" in caught.value.hint


def test_events_after_a_crash_are_still_judged(image, cache):
    """The platform starts a function again, and so does the proof: every failing event is named."""
    with pytest.raises(ProofError, match=r"\(and 1 more\)") as caught:
        ask(image, cache, best_method(cache), {"do": "exit"}, {"do": "look"}, {"do": "raise"})
    assert "before it ends" in caught.value.details
    assert "before it fails" in caught.value.details


def test_a_cache_folder_with_odd_signs_in_its_name_works(image, tmp_path):
    """Mount options have signs of their own."""
    cache = Cache(tmp_path / 'a,b:c\\d e=f"é', print)
    (seen,) = ask(image, cache, best_method(cache), {"do": "look"})
    assert seen["sees_host_file"] is False


def test_in_place_a_colon_in_the_path_is_refused_with_what_to_do(image, tmp_path):
    cache = Cache(tmp_path / "a:b", print)
    with pytest.raises(ImageError, match="':'") as caught, runnable(image, cache, method="in place"):
        pass
    assert "BUILD_IMAGE_CACHE_DIR" in caught.value.hint


def test_the_method_that_works_is_asked_once(tmp_path):
    cache = Cache(tmp_path / "cache", print)
    first = best_method(cache)
    (record,) = (tmp_path / "cache/records/sandbox").iterdir()
    before = record.read_bytes()
    assert best_method(cache) == first
    assert record.read_bytes() == before


@pytest.mark.parametrize(
    ("dropped", "expected"), [("-sys_admin", "chroot"), ("-sys_admin,-sys_chroot", "in place"), ("-setuid", "in place")]
)
def test_where_the_machine_forbids_a_method_the_next_one_is_taken(root, tmp_path, dropped, expected):
    """Root in a container has some capabilities and lacks others."""
    script = (
        "import sys; from pathlib import Path; from builder.cache import Cache;"
        "from builder.prove.rootfs import best_method;"
        "print(best_method(Cache(Path(sys.argv[1]), print)))"
    )
    command = ["setpriv", "--bounding-set", dropped, sys.executable, "-c", script, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.stdout.strip() == expected, done.stderr


def own(cache: Cache, config: ImageConfig, *layers: list[Entry]) -> Image:
    store = BlobStore(cache.blobs)
    return Image.assemble(config, [store.add_layer(entries) for entries in layers], blobs=store)


def test_a_layer_of_ours_is_unpacked_once_and_an_image_of_others_as_a_whole(tmp_path):
    """Only our own layers never delete what a lower one holds; the layers of others below them are one folder."""
    cache = Cache(tmp_path / "cache", print)
    layers = [[Entry.file("a", b"1"), Entry.file("b", b"1")], [Entry.file("c", b"2")]]
    ours = tuple(History(created_by=f"firkin: {name}") for name in ("one", "two"))
    assert len(unpacked(own(cache, ImageConfig("amd64", history=ours), *layers), cache)) == 2
    for history, count in (((), 1), ((ours[0], History("RUN x")), 1), ((History("RUN x"), ours[1]), 2)):
        assert len(unpacked(own(cache, ImageConfig("amd64", history=history), *layers), cache)) == count


def test_a_hostile_image_writes_nothing_outside_its_folder(tmp_path):
    """A link out of the image in one layer, a file of that name in the next; the history claims to be ours."""
    cache = Cache(tmp_path / "cache", print)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    config = ImageConfig("amd64", cmd=("/x",), history=(History("firkin: a"), History("firkin: b")))
    image = own(cache, config, [Entry.symlink("x", str(victim))], [Entry.file("x", b"evil")])
    for method in METHODS:
        try:
            with runnable(image, cache, method=method):
                pass
        except ImageError:
            pass
    assert victim.read_text() == "untouched"


def test_an_image_that_names_no_command_is_refused(image, cache):
    bare = replace(image, config=ImageConfig("amd64"))
    with pytest.raises(ImageError, match="neither an entry point nor a command"), runnable(bare, cache):
        pass


def test_a_program_that_is_not_in_the_image_is_told(tmp_path):
    cache = Cache(tmp_path / "cache", print)
    image = own(cache, ImageConfig("amd64", cmd=("/no/such",)), [Entry.file("tmp/x", b"")])
    method = best_method(cache)
    with pytest.raises((ProofError, ImageError)) as caught:
        prove(image, [Event("e", b"{}", None)], cache, method=method)
    assert "/no/such" in str(caught.value) + caught.value.details
