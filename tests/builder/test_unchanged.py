"""A build with nothing changed gives its last result again; whatever might matter makes a build."""

import json
import os
import subprocess
import time

from builder.unchanged import MOMENT_S, Seen, state_of

RECALLED = "nothing has changed since"


def test_nothing_changed_is_told_and_nothing_else_is_done(build):
    """The same name on stdout; of the steps only the writing is left."""
    first = build()
    second = build()
    assert RECALLED not in first.err
    assert RECALLED in second.err
    assert first.out == second.out
    assert "assemble and prove  " in first.err
    assert "assemble" not in second.err
    assert "prove  " not in second.err


def test_json_says_the_same_but_for_time(build):
    """Every layer is from the cache."""
    first, second = json.loads(build("--json").out), json.loads(build("--json").out)
    assert all(layer["cached"] for layer in second["layers"])
    for told in (first, second):
        told.pop("steps")
        for layer in told["layers"]:
            del layer["cached"], layer["seconds"]
    assert first == second


def same_size_and_time(file):
    """Another content, under the size and the time of the old one."""
    found = file.stat()
    file.write_text(file.read_text().replace("nobody", "nobodY"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def relink(link, target):
    """Another link of the same name."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def test_a_file_that_is_written_anew_beside_and_renamed_is_a_change_of_the_file_alone(tmp_path):
    """Editors save so: a folder of the function is told by what is in it, and by nothing else of its state."""
    folder = tmp_path / "fn"
    folder.mkdir()
    (folder / "app.py").write_text("x")
    (folder / "link").symlink_to("app.py")
    before = state_of([str(folder)], str(folder))
    (folder / "app.py~").write_text("y")
    (folder / "app.py~").rename(folder / "app.py")
    assert state_of([str(folder)], str(folder)) == before
    assert state_of([str(folder)], "/elsewhere") != before
    relink(folder / "link", "other.py")
    assert state_of([str(folder)], str(folder)) != before


CHANGES = {
    "a file's content": lambda source: same_size_and_time(source / "app.py"),
    "a new file": lambda source: (source / "new.py").write_text(""),
    "a file gone": lambda source: (source / "events" / "ada.json").unlink(),
    "a mode": lambda source: (source / "app.py").chmod(0o755),
    "a new event": lambda source: (source / "events" / "b.json").write_text("{}"),
    "a link that leads elsewhere": lambda source: relink(source / "link.py", "app.py"),
    "a declaration that appears": lambda source: (source / "requirements.txt").write_text("# none\n"),
    "settings of uv above the folder": lambda source: (source.parent / "uv.toml").write_text(""),
    "a repository around the folder": lambda source: subprocess.run(["git", "init", "-q", source.parent], check=True),
}


def test_any_change_makes_a_build(build, old):
    """Of a file, a folder, or of what is not there yet; each after the others."""
    build("--no-prove")
    assert RECALLED in build("--no-prove").err
    for change in CHANGES.values():
        change(old)
        time.sleep(2 * MOMENT_S)
        assert RECALLED not in build("--no-prove").err
    recalled = build("--no-prove").err
    assert RECALLED in recalled
    assert "warning: not proven" in recalled, "warnings are about the image, whenever it was made"


def test_other_settings_make_a_build(build):
    """An option, a variable that is known, and one that is not; the first ones are still remembered."""
    build("--no-prove")
    for options in (["--label", "a=b"], ["--env", "A=b"]):
        assert RECALLED not in build("--no-prove", *options).err
    for variables in ({"SOURCE_DATE_EPOCH": "1"}, {"ANYTHING": "else"}):
        assert RECALLED not in build("--no-prove", **variables).err
    assert RECALLED in build("--no-prove").err


def test_an_output_that_is_gone_or_damaged_is_written_again(build, tmp_path):
    """It comes from the cache, checked on the way."""
    first = build()
    blobs = tmp_path / "out/blobs/sha256"
    wanted = {blob.name: blob.stat().st_size for blob in blobs.iterdir()}
    smallest = min(blobs.iterdir(), key=lambda blob: blob.stat().st_size)
    smallest.unlink()
    (tmp_path / "out/index.json").unlink()
    second = build()
    assert RECALLED in second.err
    assert second.out == first.out
    assert {blob.name: blob.stat().st_size for blob in blobs.iterdir()} == wanted


def test_a_damaged_cache_heals(build_image, old, tmp_path, cold_cache):
    """The blob's digest tells; the build that follows makes it anew, and gives the same image."""
    first = build_image(old, "-o", f"tar:{tmp_path}/a.tar", cache=cold_cache)
    for blob in (cold_cache / "blobs/blobs/sha256").iterdir():
        with blob.open("r+b") as file:
            file.write(b"damaged")
    second = build_image(old, "-o", f"tar:{tmp_path}/a.tar", cache=cold_cache)
    assert (second.code, second.out) == (0, first.out)
    assert RECALLED not in second.err
    assert "made again" in second.err


def test_a_change_in_the_moment_of_the_build_is_not_trusted(build_image, function, tmp_path):
    """Its time could be that of a later change too: such a build is not remembered."""
    source = function()
    (source / "app.py").write_text("def handler(event, context):\n    return 1\n")
    future = source.stat().st_ctime_ns + 60 * 10**9
    os.utime(source / "app.py", ns=(future, future))
    for _ in range(2):
        assert RECALLED not in build_image(source, "-o", f"oci:{tmp_path}/out", "--no-prove").err


def test_the_state_of_places(tmp_path):
    """What is missing has a state of its own, and order is the caller's."""
    file = tmp_path / "a"
    before, _ = state_of([str(file)], str(tmp_path))
    file.write_text("x")
    after, newest_s = state_of([str(file)], str(tmp_path))
    assert before != after
    assert newest_s == max(file.stat().st_mtime_ns, file.stat().st_ctime_ns) / 1e9


def test_a_link_to_a_file_elsewhere_changes_nothing(tmp_path):
    """Installers link the same file into many environments; a link into the function's folder may be a change."""
    file = tmp_path / "module.py"
    file.write_text("x")
    elsewhere, inside = state_of([str(file)], "/fn"), state_of([str(file)], str(tmp_path))
    time.sleep(0.02)
    (tmp_path / "link").hardlink_to(file)
    assert state_of([str(file)], "/fn") == elsewhere
    assert state_of([str(file)], str(tmp_path)) != inside


def test_what_is_opened_and_listed_is_noted():
    """Paths of any kind, descriptors not; and nothing after the build."""
    seen = Seen(0.0)
    seen.note("open", ("/a/../b", "r", 0))
    seen.note("open", (3, "r", 0))
    seen.note("os.scandir", (b"/c",))
    seen.note("import", ("x",))
    seen.active = False
    seen.note("open", ("/late",))
    assert seen.paths == {"/b", "/c"}
