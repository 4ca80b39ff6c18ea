"""`build-image` as its users meet it: whole commands, run as processes, on functions of a few lines."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder import bytecode_worker
from builder.errors import BuilderError
from builder.oci import read_layout
from tests.bases import FOREIGN
from tests.conftest import elsewhere, run, write_function

# Half an interpreter, enough to run a function: for tests that build on an empty cache and are about something else.
SMALL = {
    "BUILD_IMAGE_DROP": "email html http xml xmlrpc unittest distutils lib2to3 multiprocessing asyncio concurrent "
    "ctypes curses dbm sqlite3 wsgiref pydoc.py doctest.py tarfile.py mailbox.py imaplib.py turtle.py "
    "encodings/cp* encodings/mac* encodings/iso* encodings/koi* encodings/euc* lib-dynload/_codecs_* "
    "lib-dynload/_sqlite3* lib-dynload/_ssl* lib-dynload/_hashlib* lib-dynload/_ctypes* lib-dynload/_curses* "
    "lib-dynload/_decimal* lib-dynload/_asyncio*"
}

ECHO = "def handler(event, context):\n    return event\n"


def digest_of(out: str) -> str:
    return out.strip().partition("@")[2]


def tree_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder with its mode and content."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def strays(*folders: Path) -> list[str]:
    """What an interrupted write could have left."""
    return [str(path) for folder in folders for path in folder.rglob("*") if path.name.endswith(".tmp")]


# --- what comes out ---


def test_stdout_carries_the_name_and_digest_alone(build_image, function):
    done = build_image(function(), "-o", "oci:out")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.out.startswith("hello@sha256:")
    assert "proven: 1 event" in done.err or "unchanged since it was proven: 1 event" in done.err


def test_the_same_folder_named_in_other_ways_is_the_same_image(build_image, function, tmp_path):
    source = function()
    names = {build_image(*where, "-q", "-o", f"oci:{tmp_path}/out", cwd=cwd).out for where, cwd in (
        ((source,), tmp_path), (("hello",), tmp_path), ((), source), ((".",), source), (("../hello/",), source),
    )}  # fmt: skip
    assert len(names) == 1


def test_json_prints_one_object_that_describes_the_image(build_image, function, tmp_path):
    done = build_image(function(), "--json", "-q", "-t", "team/x:1", "-o", "oci:out", "-o", "tar:out.tar")
    result = json.loads(done.out)
    assert result["image"] == f"team/x@{result['digest']}"
    assert result["reference"] == "team/x:1"
    assert result["outputs"] == ["oci:out", "tar:out.tar"]
    assert [layer["name"] for layer in result["layers"]] == ["interpreter", "runtime", "function"]
    assert result["size"] == sum(layer["size"] for layer in result["layers"])
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["manifests"][0]["digest"] == result["digest"]
    assert done.err == ""


def test_plan_says_of_every_file_where_it_goes_and_why_and_builds_nothing(build_image, function, tmp_path):
    done = build_image(function(files={"events/more.txt": "x", "lib/m.py": ""}), "--plan")
    plan = json.loads(done.out)
    layers = {layer["name"]: layer for layer in plan["layers"]}
    files = {file["path"]: file for file in layers["function"]["files"]}
    assert {"/var/task/app.py", "/var/task/lib/m.py"} <= set(files)
    assert not any("events" in path for path in files)
    assert all(file["why"] for layer in plan["layers"] for file in layer["files"])
    assert all(row["why"] for layer in plan["layers"] for row in layer["dropped"])
    assert plan["command"] == ["app.handler"]
    assert not (tmp_path / "dist").exists()


def test_dockerfile_prints_a_dockerfile_and_builds_nothing(build_image, function, tmp_path):
    done = build_image(function(), "--dockerfile")
    assert done.code == 0
    assert "\nFROM scratch\n" in done.out
    assert '\nCMD ["app.handler"]\n' in done.out
    assert not (tmp_path / "dist").exists()


def test_two_things_that_want_stdout_are_refused(build_image, function):
    done = build_image(function(), "--plan", "--dockerfile")
    assert (done.code, done.out) == (2, "")
    assert "ask for one of them" in done.err


def test_quiet_says_nothing_and_verbose_gives_reasons(build_image, function):
    source = function()
    assert build_image(source, "-q", "-o", "oci:out").err == ""
    told = build_image(source, "-v", "--handler", "app.handler", "-o", "oci:out").err
    assert "handler = 'app.handler', from --handler" in told
    assert "CPython" in told


def test_without_an_output_the_image_goes_to_dist(build_image, function, tmp_path):
    assert build_image(function(), "-q").code == 0
    assert (tmp_path / "dist/hello/oci-layout").is_file()


def test_help_names_every_exit_code(build_image):
    def codes(error: type) -> Iterator[int]:
        yield error.exit_code
        for kind in error.__subclasses__():
            yield from codes(kind)

    text = build_image("--help").out
    assert all(f" {code} " in text.partition("Exit codes:")[2] for code in codes(BuilderError))


def test_a_stdout_that_takes_nothing_is_an_error_and_the_image_is_there(
    build_image, function, commands, warm_cache, tmp_path
):
    command = f"'{commands}/build-image' '{function()}' -q -o oci:out > /dev/full"
    environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(warm_cache)}
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 8
    assert "printing the result" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out/index.json").exists()


# --- every kind of output ---


def test_the_three_kinds_hold_the_same_image(build_image, function, tmp_path, skopeo):
    done = build_image(function(), "-q", "-o", "oci:a", "-o", "tar:b.tar", "-o", "rootfs:c")
    digest = digest_of(done.out)
    for place in ("oci:a", "oci-archive:b.tar"):
        told = subprocess.run([skopeo, "inspect", place], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert json.loads(told.stdout)["Digest"] == digest
    assert (tmp_path / "c/var/task/app.py").read_text() == (tmp_path / "hello/app.py").read_text()
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert {"manifest.json", "oci-layout", "index.json"} <= set(archive.getnames())
    assert names(tmp_path) == ["a", "b.tar", "c", "hello"]


def test_an_output_of_every_kind_is_replaced_by_the_next_build(build_image, function, tmp_path):
    source, outputs = function(), ("-o", "oci:layout", "-o", "tar:archive", "-o", "rootfs:root")
    build_image(source, "-q", *outputs)
    (source / "app.py").write_text(ECHO)
    done = build_image(source, "-q", *outputs)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "layout/index.json").read_text())["manifests"][0]["digest"] == digest_of(done.out)
    with tarfile.open(tmp_path / "archive") as archive:
        index = json.load(archive.extractfile("index.json"))
    assert index["manifests"][0]["digest"] == digest_of(done.out)
    assert (tmp_path / "root/var/task/app.py").read_text() == ECHO
    assert names(tmp_path) == ["archive", "hello", "layout", "root"]


@pytest.mark.parametrize("kind", ["oci", "rootfs", "tar"])
def test_somebody_elses_folder_is_refused_before_anything_is_built(build_image, function, tmp_path, kind):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious").write_text("x")
    done = build_image(function(), "-o", f"{kind}:mine", "-o", "oci:other")
    assert (done.code, done.out) == (8, "")
    assert "assembling" not in done.err
    assert tree_of(tmp_path / "mine").keys() == {"precious"}
    assert not (tmp_path / "other").exists()


def test_outputs_within_the_functions_folder_are_no_part_of_it(build_image, function):
    source = function()
    first = build_image("-q", "-o", "oci:out[1]", "-o", "tar:image.tar", cwd=source)
    second = build_image("-q", "-o", "oci:out[1]", "-o", "tar:image.tar", cwd=source)
    assert first.code == 0, first.err
    assert first.out == second.out


# --- where a setting comes from ---


def settings_of(source: Path, **table: object) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    (source / "pyproject.toml").write_text("[tool.build-image]\n" + "\n".join(lines) + "\n")


HANDLERS = {"files": {"a.py": ECHO, "b.py": ECHO, "c.py": ECHO}}


@pytest.mark.parametrize(
    ("flag", "variable", "table", "expected"),
    [
        (["--handler", "a.handler"], {"BUILD_IMAGE_HANDLER": "b.handler"}, {"handler": "c.handler"}, "a.handler"),
        ([], {"BUILD_IMAGE_HANDLER": "b.handler"}, {"handler": "c.handler"}, "b.handler"),
        ([], {}, {"handler": "c.handler"}, "c.handler"),
        ([], {"BUILD_IMAGE_HANDLER": ""}, {"handler": "c.handler"}, "c.handler"),
        ([], {}, {}, "app.handler"),
    ],
)
def test_a_flag_beats_the_environment_beats_the_table_beats_the_default(
    build_image, function, flag, variable, table, expected
):
    source = function(**HANDLERS)
    settings_of(source, **table)
    done = build_image(source, *flag, "--plan", "-q", **variable)
    assert json.loads(done.out)["command"] == [expected]


def test_the_order_holds_for_lists_tags_and_flags_too(build_image, function, tmp_path):
    source = function()
    settings_of(source, tag="from-table", output=["oci:table"])
    by_table = json.loads(build_image(source, "--json", "-q").out)
    by_variable = json.loads(build_image(
        source, "-q", BUILD_IMAGE_TAG="from-variable", BUILD_IMAGE_OUTPUT="oci:variable tar:v.tar",
        BUILD_IMAGE_JSON="1",
    ).out)  # fmt: skip
    by_flag = json.loads(
        build_image(
            source, "--json", "-q", "-t", "from-flag", "-o", "oci:flag", BUILD_IMAGE_TAG="no", BUILD_IMAGE_OUTPUT="no"
        ).out
    )
    assert [by_table["reference"], by_table["outputs"]] == ["from-table:latest", ["oci:table"]]
    assert [by_variable["reference"], by_variable["outputs"]] == ["from-variable:latest", ["oci:variable", "tar:v.tar"]]
    assert [by_flag["reference"], by_flag["outputs"]] == ["from-flag:latest", ["oci:flag"]]


@pytest.mark.parametrize(
    ("arguments", "variables", "table", "code", "words"),
    [
        (["--handler", "x.y"], {}, {}, 4, "from --handler"),
        ([], {"BUILD_IMAGE_HANDLER": "x.y"}, {}, 4, "from the environment, BUILD_IMAGE_HANDLER"),
        ([], {}, {"handler": "x.y"}, 4, "from pyproject.toml, [tool.build-image]"),
        (["-t", "NO"], {}, {}, 8, "reading --tag"),
        ([], {"BUILD_IMAGE_TAG": "NO"}, {}, 8, "reading the environment, BUILD_IMAGE_TAG"),
        ([], {}, {"tag": "NO"}, 8, "reading pyproject.toml, [tool.build-image]"),
        ([], {"BUILD_IMAGE_OUTPUT": "zip"}, {}, 8, "reading the environment, BUILD_IMAGE_OUTPUT"),
        ([], {}, {"output": ["zip"]}, 8, "reading pyproject.toml, [tool.build-image]"),
        ([], {}, {"trim": "hard"}, 2, "from pyproject.toml, [tool.build-image]"),
        ([], {"BUILD_IMAGE_TRIM": "hard"}, {}, 2, "from the environment, BUILD_IMAGE_TRIM"),
        ([], {}, {"volatile": ["("]}, 3, "reading pyproject.toml, [tool.build-image]: '(' is no regular expression"),
        (["--platform", f"linux/{FOREIGN}"], {}, {}, 13, "Name a base of that platform"),
        ([], {"BUILD_IMAGE_PLATFORM": "linux/mips"}, {}, 2, "from the environment, BUILD_IMAGE_PLATFORM"),
        ([], {}, {"handlr": "x.y"}, 3, "unknown key 'handlr'"),
        ([], {}, {"tag": 5}, 3, "not a string"),
    ],
)
def test_a_wrong_value_is_reported_with_its_origin(
    build_image, function, tmp_path, arguments, variables, table, code, words
):
    source = function()
    settings_of(source, **table)
    done = build_image(source, *arguments, **variables)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert not (tmp_path / "dist").exists()


# --- bad input: an error, a code, nothing written ---


def no_folder(source: Path) -> None:
    shutil.rmtree(source)


def a_file(source: Path) -> None:
    shutil.rmtree(source)
    source.write_text("x")


def no_handler(source: Path) -> None:
    (source / "app.py").write_text("x = 1\n")


def nothing_in_it(source: Path) -> None:
    (source / "app.py").unlink()


def a_syntax_error(source: Path) -> None:
    (source / "app.py").write_text("def handler(event, context):\n    return (\n")


def an_unknown_dependency(source: Path) -> None:
    (source / "requirements.txt").write_text("./not-there\n")


def bad_toml(source: Path) -> None:
    (source / "pyproject.toml").write_text("[tool\n")


def a_bad_event(source: Path) -> None:
    (source / "events/ada.json").write_text("{")


def a_dead_link(source: Path) -> None:
    (source / "link").symlink_to("nowhere")


def a_wrong_answer(source: Path) -> None:
    (source / "events/expected").mkdir()
    (source / "events/expected/ada.json").write_text('{"hello": "Bob"}')


def an_import_error(source: Path) -> None:
    (source / "app.py").write_text("import not_there\n" + ECHO)


def a_failing_handler(source: Path) -> None:
    (source / "app.py").write_text("def handler(event, context):\n    print('its log')\n    raise ValueError('oh')\n")


def a_file_that_no_image_can_hold(source: Path) -> None:
    (source / ".wh.x").write_text("")


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (no_folder, 3, "there is no folder"),
        (a_file, 3, "not a folder"),
        (nothing_in_it, 3, "holds no files"),
        (bad_toml, 3, "not valid TOML"),
        (a_bad_event, 3, "is not JSON"),
        (a_dead_link, 3, "which is not there"),
        (a_file_that_no_image_can_hold, 3, ".wh."),
        (no_handler, 4, "none of app.handler"),
        (a_syntax_error, 5, "app.py, line 2"),
        (an_unknown_dependency, 6, "requirements.txt"),
        (a_failing_handler, 7, "its log"),
        (a_wrong_answer, 7, '{"hello": "Ada"} where expected/ada.json says {"hello": "Bob"}'),
        (an_import_error, 7, "No module named 'not_there'"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(build_image, function, tmp_path, spoil, code, words):
    source = function()
    spoil(source)
    (tmp_path / "out").mkdir()
    done = build_image(source, "-o", "oci:out", "-o", "tar:out.tar")
    assert (done.code, done.out) == (code, ""), done.err
    assert words in done.err
    assert "\nerror: " in f"\n{done.err}"
    assert "Traceback (most recent call last)" not in done.err or code == 7
    assert names(tmp_path / "out") == []
    assert not (tmp_path / "out.tar").exists()


def test_what_an_earlier_build_wrote_survives_a_failing_one(build_image, function, tmp_path):
    source = function()
    build_image(source, "-q", "-o", "oci:out", "-o", "tar:out.tar", "-o", "rootfs:root")
    before = tree_of(tmp_path)
    a_wrong_answer(source)
    assert build_image(source, "-o", "oci:out", "-o", "tar:out.tar", "-o", "rootfs:root").code == 7
    after = tree_of(tmp_path)
    assert {path: state for path, state in after.items() if "expected" not in path} == before


def test_no_prove_says_so_and_writes(build_image, function):
    source = function()
    a_failing_handler(source)
    done = build_image(source, "--no-prove", "-o", "oci:out")
    assert done.code == 0
    assert "warning: not proven" in done.err


def test_an_image_without_events_is_proven_to_start(build_image, function):
    source = function(events={})
    done = build_image(source, "-o", "oci:out")
    assert done.code == 0
    assert "warning: there are no sample events in events/" in done.err
    assert "proven is only that the function starts, trimmed and untrimmed" in done.err
    an_import_error(source)
    assert build_image(source, "-o", "oci:out").code == 7


def test_a_proof_is_remembered_until_the_event_or_its_answer_changes(build_image, function, tmp_path):
    """The function is not run again for the same image and the same events."""
    source = function(events={"e": {"id": os.urandom(8).hex()}}, expected={})

    def again(text):
        return "unchanged since it was proven" in text or "nothing has changed since the image was proven" in text

    seen = [again(build_image(source, "-o", "oci:out").err) for _ in range(2)]
    (source / "events/expected").mkdir()
    (source / "events/expected/e.json").write_text('{"hello": "nobody"}')
    seen += [again(build_image(source, "-o", "oci:out").err) for _ in range(2)]
    (source / "events/e.json").write_text('{"name": null, "x": 1}')
    changed = build_image(source, "-o", "oci:out")
    assert seen == [False, True, False, True]
    assert changed.code == 7


# --- the same inputs, the same digest ---


def start_cold(commands: Path, folder: Path, source: Path, **variables: str) -> subprocess.Popen:
    """A build in a fresh cache, with everything in another state."""
    umask = variables.pop("umask", "022")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    environment |= {"BUILD_IMAGE_CACHE_DIR": str(folder / "cache"), **variables}
    command = f"umask {umask}; exec '{commands}/build-image' '{source}' -q -t same -o 'oci:{folder}/out'"
    return subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True, env=environment)


def test_another_folder_umask_time_zone_locale_and_hash_seed_give_the_same_digest(commands, tmp_path):
    """And the same reason for each file; what `ssl` needs is found by two ways, and these seeds tell them apart."""
    files = {"app.py": f"import ssl\n{ECHO}", "lib/b.py": "x = {'a', 'b', 'c'}\n", "lib/a.py": "", "data.bin": "\0"}
    running = []
    for folder, names, variables in (
        (tmp_path / "one", sorted(files), {"umask": "022", "TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        (
            tmp_path / "another place é",
            sorted(files, reverse=True),
            {
                "umask": "077",
                "TZ": "Asia/Kathmandu",
                "LC_ALL": "C.UTF-8",
                "PYTHONHASHSEED": "3",
                "HOME": "/nonexistent",
            },
        ),
    ):
        for name in names:
            (folder / "fn" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "fn" / name).write_text(files[name])
        os.utime(folder / "fn/app.py", (len(running) * 1e9,) * 2)
        running.append(start_cold(commands, folder, folder / "fn", **variables))
    outs = [process.communicate(timeout=240)[0] for process in running]
    assert outs[0] == outs[1]
    assert outs[0].startswith("same@sha256:")
    reasons = [
        [file.read_bytes() for file in sorted((tmp_path / name / "cache").rglob("reasons/**/*")) if file.is_file()]
        for name in ("one", "another place é")
    ]
    assert len(reasons[0]) == 1
    assert reasons[0] == reasons[1]


def test_two_builds_at_once_on_an_empty_cache_give_the_same_digest(commands, function, tmp_path):
    environment = {**os.environ, **SMALL, "BUILD_IMAGE_CACHE_DIR": str(tmp_path / "cache")}
    command = [commands / "build-image", function(), "-q"]
    running = [
        subprocess.Popen([*command, "-o", f"oci:{tmp_path}/{name}"], stdout=subprocess.PIPE, text=True, env=environment)
        for name in ("a", "b")
    ]
    outs = [process.communicate(timeout=240)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert outs[0] == outs[1]
    assert outs[0].startswith("hello@sha256:")
    assert list((tmp_path / "cache/tmp").iterdir()) == []


def test_a_change_of_one_line_makes_a_new_last_layer_only(build_image, function):
    source = function()
    first = json.loads(build_image(source, "--json", "-q", "-o", "oci:out").out)["layers"]
    (source / "app.py").write_text(ECHO)
    second = json.loads(build_image(source, "--json", "-q", "-o", "oci:out").out)["layers"]
    assert [one["digest"] == other["digest"] for one, other in zip(first, second, strict=True)] == [True, True, False]
    assert [layer["cached"] for layer in second] == [True, True, False]


@pytest.mark.root
def test_a_rebuild_uses_no_network_and_starts_no_uv(build_image, commands, warm_cache, function, tmp_path, root):
    """In a network namespace without any interface but loopback, traced for programs that are started."""
    source = function()
    first = build_image(source, "-q", "-o", "oci:out")
    environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(warm_cache), "UV": "/bin/false", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["unshare", "-n", commands / "build-image", source, "-v", "-o", "oci:out"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, first.out), done.stderr


# --- the cache, damaged in every way ---


def spoil_files(folder: Path, pattern: str, spoil: Callable[[Path], object]) -> int:
    files = [file for file in folder.glob(pattern) if file.is_file()]
    for file in files:
        spoil(file)
    return len(files)


def overwrite(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


def truncate(file: Path) -> None:
    os.truncate(file, 1)


@pytest.mark.parametrize(
    "damaged",
    [
        {f"records/{kind}/*": f"record {kind}/" for kind in ("layers", "libraries", "settled", "reach", "sandbox")},
        {"blobs/blobs/sha256/*": "a cached layer was not as it was left"},
    ],
    ids=["records", "blobs"],
)
def test_damaged_entries_are_found_said_and_rebuilt_to_the_same_digest(build_image, function, cold_cache, damaged):
    source = function()
    before = build_image(source, "-q", "-o", "oci:out", cache=cold_cache)
    shutil.rmtree(source.parent / "out")  # its blobs are links to the cache's
    for pattern in damaged:
        assert spoil_files(cold_cache, pattern, truncate if "layers" in pattern else overwrite)
    after = build_image(source, "-o", "oci:again", cache=cold_cache)
    assert (after.code, after.out) == (0, before.out), after.err
    assert [words for words in damaged.values() if words not in after.err] == []
    assert "warning" not in build_image(source, "-o", "oci:again", cache=cold_cache).err


def test_a_damaged_unpacked_layer_is_made_again(build_image, function, cold_cache):
    source = function(events={"new": {"id": os.urandom(8).hex()}})
    build_image(source, "-q", "-o", "oci:out", cache=cold_cache)
    assert spoil_files(cold_cache, "trees/layers/*/tree/var/task/app.py", lambda file: file.write_text("evil"))
    (source / "events/more.json").write_text("{}")
    done = build_image(source, "-o", "oci:out", cache=cold_cache)
    assert done.code == 0
    assert "not as it was left" in done.err


def test_no_cache_builds_anew_and_leaves_the_cache_alone(build_image, function, cold_cache, tmp_path):
    before = sorted(path.name for path in cold_cache.glob("records/*/*"))
    done = build_image(function(), "--no-cache", "--no-prove", "-o", "oci:out", cache=cold_cache)
    assert done.code == 0
    assert "assembling layer interpreter" in done.err
    assert sorted(path.name for path in cold_cache.glob("records/*/*")) == before
    assert list((cold_cache / "tmp").iterdir()) == []


# --- a disk that refuses ---


@pytest.mark.root
@pytest.mark.parametrize("size_mb", [1, 4, 12])
def test_a_full_cache_disk_is_told_whatever_step_it_stops(build_image, function, small_disk, tmp_path, size_mb):
    """1 MB ends in bytecode, 4 in the first layer, 12 in unpacking; then with room it works."""
    place = small_disk(size_mb * 1000)
    source = function()
    done = build_image(source, "-o", f"oci:{tmp_path}/out", cache=place / "cache", **SMALL)
    assert (done.code, done.out) == (8, ""), done.err
    assert "No space left on device" in done.err
    assert "BUILD_IMAGE_CACHE_DIR" in done.err
    assert not (tmp_path / "out").exists()
    assert list((place / "cache/tmp").iterdir()) == []
    if size_mb != 12:
        return  # what follows is the same for all, and slow
    subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)
    again = build_image(source, "-q", "-o", f"oci:{tmp_path}/out", cache=place / "cache", **SMALL)
    assert again.code == 0, again.err
    assert again.out == build_image(source, "-q", "-o", f"oci:{tmp_path}/out", **SMALL).out


@pytest.mark.root
@pytest.mark.parametrize("kind", ["oci", "tar", "rootfs"])
def test_a_full_output_disk_leaves_what_was_there(build_image, function, small_disk, kind):
    place = small_disk(3000)
    (place / "other").write_text("x")
    done = build_image(function(), "-o", f"{kind}:{place}/out")
    assert (done.code, done.out) == (8, ""), done.err
    assert "No space left on device" in done.err
    assert names(place) == ["other"]


def test_a_limit_on_file_sizes_is_told(commands, function, tmp_path):
    environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(tmp_path / "cache")}
    command = f"ulimit -f 2048; exec '{commands}/build-image' '{function()}' -o oci:out"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 8, done.stderr
    assert "File too large" in done.stderr
    assert "ulimit -f" in done.stderr
    assert not (tmp_path / "out").exists()
    assert strays(tmp_path) == []


@pytest.mark.root
def test_a_read_only_cache_serves_what_it_has_and_says_what_it_cannot(
    build_image, function, cold_cache, tmp_path, root
):
    source = function()
    first = build_image(source, "-q", "-o", "oci:out", cache=cold_cache)
    subprocess.run(["mount", "--bind", cold_cache, cold_cache], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", cold_cache], check=True)
        again = build_image(source, "-q", "-o", "oci:again", cache=cold_cache)
        (source / "app.py").write_text(ECHO)
        changed = build_image(source, "-o", "oci:again", cache=cold_cache)
    finally:
        subprocess.run(["umount", cold_cache], check=True)
    assert (again.code, again.out) == (0, first.out), again.err
    assert (changed.code, changed.out) == (8, "")
    assert "Read-only file system" in changed.err
    assert "BUILD_IMAGE_CACHE_DIR" in changed.err


def test_a_missing_home_is_no_reason_to_fail_when_the_user_has_one(commands, function, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "BUILD_IMAGE_CACHE_DIR"}}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    command = [commands / "build-image", function(), "--dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "xdg/firkin").is_dir()


# --- interrupted ---


def start_build(commands: Path, source: Path, cache: Path, out: Path, **variables: str) -> subprocess.Popen:
    environment = {**os.environ, **variables, "BUILD_IMAGE_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [commands / "build-image", source, "-o", f"oci:{out}/image", "-o", f"rootfs:{out}/root"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip


def wait_for(there: Callable[[], bool], process: subprocess.Popen) -> None:
    """Until something is there; the process must not have ended before."""
    deadline = time.monotonic() + 60
    while not there():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it never came to that point"
        time.sleep(0.0005)  # short beside any of the moments, and leaves the processor to the build


def seen(folder: Path, pattern: str) -> bool:
    """Whether something matches, in a folder that changes under our eyes."""
    try:
        return any(folder.glob(pattern))
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def right(commands, warm_cache, tmp_path_factory) -> Callable[[bool], str]:
    """Return `right(small)`: what an undisturbed build of the usual function prints, with SMALL or without."""

    @functools.cache
    def build(small: bool) -> str:  # noqa: FBT001 - a key
        folder = tmp_path_factory.mktemp("right")
        command = [commands / "build-image", write_function(folder / "hello"), "-q", "-o", "oci:witness"]
        return run(command, cache=warm_cache, cwd=folder, **(SMALL if small else {})).out

    return build


def compiles(process: subprocess.Popen) -> bool:
    """Whether the process has one below it that compiles, and leaves no file of it anywhere."""
    children = b" ".join(told(file) for file in Path(f"/proc/{process.pid}/task").glob("*/children"))
    command_lines = (told(Path(f"/proc/{child}/cmdline")) for child in children.decode().split())
    return any(bytecode_worker.__doc__.encode() in line for line in command_lines)


def told(file: Path) -> bytes:
    """What the kernel says of a thread or process; nothing of one that has ended meanwhile."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


MOMENTS = {
    "compiling": "",
    "packing": "cache/blobs/blobs/sha256/.blob*",
    "packed": "cache/records/layers/*",
    "unpacking": "cache/tmp/*/tree/*",
    "writing": "results/*",
    "writing aside": "results/.*",
}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        # The first moments of an empty cache are slow to come to: each signal once; later, one that can be answered.
        ("compiling", signal.SIGINT),
        ("packing", signal.SIGTERM),
        ("packed", signal.SIGKILL),
        ("unpacking", signal.SIGINT),
        ("unpacking", signal.SIGKILL),
        ("writing", signal.SIGTERM),
        ("writing", signal.SIGKILL),
        ("writing aside", signal.SIGINT),
        ("writing aside", signal.SIGKILL),
    ],
)
def test_an_interrupted_build_leaves_no_half_output_and_a_cache_that_works(
    commands, function, build_image, warm_cache, tmp_path, right, moment, number
):
    source, cache, out, variables = function(), tmp_path / "cache", tmp_path / "results", SMALL
    if list(MOMENTS).index(moment) >= list(MOMENTS).index("unpacking"):
        shutil.copytree(warm_cache, cache, ignore=shutil.ignore_patterns("trees", "proofs", "tmp"))
        variables = {}
    process = start_build(commands, source, cache, out, **variables)
    wait_for(lambda: seen(tmp_path, MOMENTS[moment]) if MOMENTS[moment] else compiles(process), process)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    if not moment.startswith("writing"):  # the last step may have been done by then
        expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
        assert process.returncode == expected, said
        assert not out.exists()
    if number != signal.SIGKILL:
        assert strays(cache, tmp_path) == []
        assert list((cache / "tmp").iterdir()) == []
        assert "Traceback" not in said
    if (out / "image").exists():
        assert (out / "image/index.json").exists()
    again = build_image(source, "-q", "-o", f"oci:{out}/image", "-o", f"rootfs:{out}/root", cache=cache, **variables)
    assert again.code == 0, again.err
    assert "warning" not in again.err
    assert again.out == right(bool(variables))


# --- names that Python or we use ourselves ---


@pytest.mark.parametrize("name", ["bootstrap", "emulator"])
def test_a_handler_and_its_modules_may_be_called_as_our_own_are(build_image, function, name):
    """The handler's module and those that it imports are the function's."""
    others = sorted({"bootstrap", "emulator", "builder", "errors", "logs", "sandbox", "handler"} - {name})
    imports = "".join(f"import {other} as _{other}\n" for other in others)
    places = ", ".join(f"_{other}.WHERE" for other in others)
    answer = f"{imports}def handler(event, context):\n    return [__file__, {places}]\n"
    expected = {"e": [f"/var/task/{one}.py" for one in (name, *others)]}
    files = {f"{name}.py": answer, **{f"{other}.py": "WHERE = __file__\n" for other in others}}
    source = function("", name="fn", events={"e": {}}, expected=expected, files=files)
    done = build_image(source, "--handler", f"{name}.handler", "-o", "oci:out")
    assert done.code == 0, done.err


def test_the_functions_files_come_before_the_standard_library(build_image, function):
    """As on Lambda: the function's folder is the first of sys.path."""
    files = {"calendar.py": "mine = True\n"}
    code = "import calendar\n\ndef handler(event, context):\n    return calendar.mine\n"
    assert build_image(function(code, files=files, expected={"ada": True}), "-q", "-o", "oci:out").code == 0


# --- somebody else than root ---


@pytest.fixture
def stranger(root) -> Iterator[Callable[..., subprocess.CompletedProcess]]:
    """Return `stranger(*arguments)`: build-image as an unprivileged user, from a copy of the program he may read."""
    python = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if not Path(python).exists():
        elsewhere(f"there is no {python}, and an unprivileged user may not read the Python of this environment")
    folder = Path(tempfile.mkdtemp(prefix="firkin-stranger-"))  # pytest's own folders are closed to him
    folder.chmod(0o755)
    checkout = Path(__file__).parents[1]
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("builder", "bootstrap", "emulator", "images"):
        shutil.copytree(checkout / name, folder / "firkin" / name, ignore=ignored)
    shutil.copy(checkout / "Dockerfile.template", folder / "firkin")
    packages = Path(pytest.__file__).parents[1]
    for name in ("click", "certifi", "orjson", "jinja2", "markupsafe", "elftools", "httpx", "deflate"):
        shutil.copytree(packages / name, folder / "packages" / name, ignore=ignored)
    (folder / "home").mkdir()
    subprocess.run(["chown", "-R", "12346:12346", folder], check=True)

    def call(*arguments: object) -> subprocess.CompletedProcess:
        variables = [f"HOME={folder}/home", f"PYTHONPATH={folder}/firkin:{folder}/packages", "PATH=/usr/bin:/bin"]
        user = ["setpriv", "--reuid", "12346", "--regid", "12346", "--clear-groups", "env", "-i", *variables]
        command = [*user, python, "-m", "builder", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=f"{folder}/home", check=False, timeout=240)

    call.home = folder / "home"
    yield call
    shutil.rmtree(folder)


@pytest.mark.root
def test_an_unprivileged_user_builds_and_proves(stranger, tmp_path):
    source = stranger.home / "hello"
    seen = "return [os.getuid(), os.access('/tmp', os.W_OK), os.access('/', os.W_OK)]"
    (source / "events/expected").mkdir(parents=True)
    (source / "app.py").write_text(f"import os\n\ndef handler(event, context):\n    {seen}\n")
    (source / "events/e.json").write_text("{}")
    (source / "events/expected/e.json").write_text("[12345, true, false]")
    done = stranger(source, "-o", "oci:out", "-o", "rootfs:root")
    assert done.returncode == 0, done.stderr
    assert "in a namespace" in done.stderr
    (source / "app.py").chmod(0)
    refused = stranger(source, "-o", "oci:out")
    assert refused.returncode == 3, refused.stderr
    locked = stranger.home / "locked"
    locked.mkdir()
    (source / "app.py").chmod(0o644)
    refused = stranger(source, "-o", f"oci:{locked}/out")
    assert refused.returncode == 8
    assert "writable" in refused.stderr or "may write" in refused.stderr


def test_labels_environment_and_date_are_in_the_configuration(build_image, function, tmp_path):
    """`--label`, `--env` and SOURCE_DATE_EPOCH; the layers stay the same, so that nothing is built anew."""
    plain = json.loads(build_image(function(), "-o", f"oci:{tmp_path}/a", "--json").out)
    done = build_image(
        function(), "-o", f"oci:{tmp_path}/b", "--json", "--label", "team=shop", "--env", "MODE=fast",
        SOURCE_DATE_EPOCH="86400",
    )  # fmt: skip
    dated = json.loads(done.out)
    assert [one["digest"] for one in plain["layers"]] == [one["digest"] for one in dated["layers"]]
    config = read_layout(tmp_path / "b").config
    assert (config.labels["team"], config.env["MODE"], config.created) == ("shop", "fast", "1970-01-02T00:00:00Z")


@pytest.mark.parametrize("text", ["tomorrow", "-1", "1e9", "9" * 20])
def test_a_date_that_is_none_is_told(build_image, function, text):
    """Exit code 3, with an example of a right one."""
    done = build_image(function(), SOURCE_DATE_EPOCH=text)
    assert done.code == 3
    assert "git log -1 --format=%ct" in done.err


def test_an_edit_that_is_not_proven_loads_nothing_that_proves(function, warm_cache, tmp_path):
    """What a quick build does not need costs it nothing: neither sandboxes nor the emulator, no client, no template."""
    heavy = ["asyncio", "builder.prove", "docker", "emulator", "httpx", "jinja2", "builder.trim.reading"]
    code = (
        "import sys\nfrom builder.cli import build_image\n"
        f"try:\n    build_image()\nfinally:\n    print(sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)"
    )
    source = function(ECHO)
    for edit in ("", "# edited\n"):
        (source / "app.py").write_text(ECHO + edit)
        done = run([sys.executable, "-c", code, source, "-q", "--no-prove"], cache=warm_cache, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.err.splitlines()[-1] == "[]"
