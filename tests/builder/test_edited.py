"""An edit of the function's modules that says the same of everything else takes that from the build before."""

import json
import os
import shutil
import subprocess
import time

from builder.unchanged import MOMENT_S
from tests.conftest import clean_environment

WHOLE = "observe the base"  # a step of a whole build
IMPORT = "__builtins__['__imp' + 'ort__']"


def edit(source, line="# edited\n"):
    """Another last line, saved as editors do: written beside, and renamed."""
    beside = source / "app.py~"
    beside.write_text((source / "app.py").read_text() + line)
    beside.rename(source / "app.py")


def answer(done):
    return json.loads(done.out)


def test_an_edit_gives_the_image_of_a_whole_build(build, old):
    """Only the function's layer is made, the image is proven, and a cache that knows nothing gives the same digest."""
    first = answer(build("--json"))
    edit(old)
    umask = os.umask(0o077)
    try:
        done = build("--json")
    finally:
        os.umask(umask)
    second = answer(done)
    assert WHOLE not in done.err
    assert [layer["cached"] for layer in second["layers"]] == [True, True, False]
    assert second["proof"]["method"] == first["proof"]["method"] != "not proven"
    assert len(second["proof"]["answers"]) == 1
    assert {**second["trimming"], "rounds": []} == first["trimming"]
    assert second["digest"] != first["digest"]
    assert answer(build("--json", "--no-cache"))["digest"] == second["digest"]


def test_edits_follow_each_other_and_what_was_proven_is_remembered(build, old, commands, tmp_path, warm_cache):
    """An edit that comes at once, too; what `explain` tells is told of each image."""
    build()
    text = (old / "app.py").read_text()
    edit(old)
    once = build()
    edit(old)
    build()
    (old / "app.py").write_text(text + "# edited\n")
    again = build()
    assert WHOLE not in once.err + again.err
    assert again.out == once.out
    assert "unchanged since it was proven" in again.err
    environment = clean_environment(BUILD_IMAGE_CACHE_DIR=str(warm_cache))
    command = [commands / "firkin", "explain", f"oci:{tmp_path}/out", "json"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "in layer interpreter" in told
    assert "only the machine that built it knows" not in told


OTHER = {
    "an import": lambda source: edit(source, "import colorsys\n"),
    "a mode": lambda source: (edit(source), (source / "app.py").chmod(0o755)),
    "another file's content": lambda source: (edit(source), (source / "data.txt").write_text("1")),
    "an event": lambda source: (edit(source), (source / "events/ada.json").write_text('{"name": "B"}')),
}


def test_whatever_else_changes_needs_a_whole_build(build, old):
    """With the edit, each after the others; and after each an edit alone needs none."""
    build("--no-prove")
    for what, change in OTHER.items():
        change(old)
        time.sleep(2 * MOMENT_S)
        assert WHOLE in build("--no-prove").err, what
    edit(old)
    done = build("--no-prove")
    assert WHOLE not in done.err
    assert "warning: not proven" in done.err
    edit(old)
    assert WHOLE in build("--no-prove", ANYTHING="else").err


def test_all_files_that_decide_the_image_are_looked_at(build, old, warm_cache):
    """Those that trimming left out as well: the untrimmed function is made of them. Any other state makes a build."""
    before = set(warm_cache.glob("records/builds/*"))
    build("--trim", "reachable")
    (kept,) = set(warm_cache.glob("records/builds/*")) - before
    record = json.loads(kept.read_bytes())["value"]
    planned = answer(build("--trim", "safe", "--plan"))
    sources = {file["from"] for layer in planned["layers"] for file in layer["files"] if file["from"].startswith("/")}
    own = {str(old / "app.py")}
    assert len(sources) > 1000
    assert sources - own <= set(record["paths"])
    assert set(record["modules"]) == own


def test_a_function_that_fails_after_an_edit_is_told_and_nothing_is_written(build_image, build, old, tmp_path):
    """Once, as by a whole build; the function of before is there again at once."""
    first = build()
    text = (old / "app.py").read_text()
    (old / "app.py").write_text(text.replace("return", "assert not event\n    return"))
    written = (tmp_path / "out/index.json").read_bytes()
    failed = build_image(old, "-o", f"oci:{tmp_path}/out")
    assert failed.code == 7
    assert failed.err.count("AssertionError") >= 1
    assert failed.err.count("error: proving the image") == 1
    assert (tmp_path / "out/index.json").read_bytes() == written
    (old / "app.py").write_text(text)
    assert build().out == first.out


def test_what_differs_after_an_edit_is_put_back(build, old):
    """The trimmed image fails where the untrimmed function does not: a whole build finds what it lacks."""
    code = (
        f"def handler(event, context):\n    return len(event) > 5 and {IMPORT}('color-sys'.replace('-', '')).__name__\n"
    )
    (old / "app.py").write_text(code)
    build()
    (old / "app.py").write_text(code.replace("5", "0"))
    done = build()
    assert "put back 1 file" in done.err
    edit(old)
    assert WHOLE in build().err, "what was put back depends on what ran"


def test_a_cache_that_lost_something_heals(build_image, old, tmp_path, cold_cache):
    """A whole build makes it again, or what uses it does; the image is the same."""

    def built(number, **where):
        done = build_image(old, "-o", f"oci:{tmp_path}/out-{number}", **where)
        assert done.code == 0, done.err
        return done.out

    time.sleep(2 * MOMENT_S)
    built(1, cache=cold_cache)
    for gone in ("trees/rest", "trees/layers", "records/reasons"):
        shutil.rmtree(cold_cache / gone)
        edit(old)
        edited = built(1, cache=cold_cache)
    edit(old, "")
    for blob in (cold_cache / "blobs/blobs/sha256").iterdir():
        blob.write_bytes(b"damaged")
    assert built(1, cache=cold_cache) == edited == built(2)


def test_two_builds_of_an_edit_at_once_and_one_that_is_killed(build, old, commands, tmp_path, warm_cache):
    """Both give what a build alone gives; what a killed one left harms nobody."""
    build()
    edit(old)
    environment = clean_environment(BUILD_IMAGE_CACHE_DIR=str(warm_cache))
    command = [commands / "build-image", old, "-q", "-o"]
    outs = [f"oci:{tmp_path}/out-{number}" for number in range(3)]
    running = [
        subprocess.Popen([*command, out], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for out in outs
    ]
    time.sleep(0.3)
    running[2].kill()
    told = [one.communicate(timeout=60)[0] for one in running]
    assert [one.returncode for one in running[:2]] == [0, 0]
    assert told[0] == told[1] == build().out
