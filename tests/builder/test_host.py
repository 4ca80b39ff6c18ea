"""The base "host": each Python of this machine, planned whole, with libraries, certificates and time zones."""

import os
import posixpath
from dataclasses import replace
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.elf import read_elf
from builder.errors import InterpreterError
from builder.host import CA_BUNDLE, HostBase, _data, may_be_elf, observe_host, runtime_files
from builder.interpreter import Interpreter, observe_interpreter
from builder.plan import How, PlannedFile
from builder.trim import Choice
from tests.conftest import elsewhere

# The Python that runs the tests, the distribution's own, and every other version that the runtime supports.
PYTHONS = [None, "/usr/bin/python3", "3.9", "3.10", "3.12", "3.13"]
SAFE = Choice("safe")


@pytest.fixture(params=PYTHONS, ids=str)
def python(request: pytest.FixtureRequest) -> Interpreter:
    """One of the Pythons of this machine."""
    try:
        return observe_interpreter(request.param)
    except InterpreterError as error:
        elsewhere(str(error))


def by_path(base: HostBase) -> dict[str, PlannedFile]:
    return {file.path: file for file in base.files}


def resolved(path: str, files: dict[str, PlannedFile]) -> str:
    """The path behind links of the plan."""
    while (file := files.get(path)) and file.how is How.LINK:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.source))
    return path


def test_the_closure_of_every_python_is_complete(python: Interpreter, cache: Cache):
    """Every library that a kept ELF file names is in the plan or warned of; the loader is where the program says."""
    base = observe_host(python, SAFE, cache)
    files = by_path(base)
    folder = base.libraries.folder
    elves = 0
    for file in base.files:
        if file.how not in (How.COPY, How.WITHOUT_DEBUG) or not Path(file.source).is_file():
            continue
        elf = read_elf(Path(file.source))
        if elf is None:
            continue
        elves += 1
        for needed in elf.needed:
            place = needed.lstrip("/") if "/" in needed else f"{folder}/{needed}"
            is_loader = posixpath.basename(base.libraries.loader) == needed
            assert is_loader or place in files or needed in base.libraries.missing, (file.path, needed)
        if elf.interpreter and file.path.startswith("var/lang/bin/"):
            assert elf.interpreter.lstrip("/") in files
    assert elves > 10
    assert len(base.warnings) == len(base.libraries.missing) + (not Path("/usr/share/zoneinfo").is_dir())


def test_every_python_has_its_standard_library(python: Interpreter, cache: Cache):
    """The modules a function starts with are there where that Python looks, under its usual names."""
    files = by_path(observe_host(python, SAFE, cache))
    prefix = f"var/lang/{python.library_folder}/{python.name}"
    for module in ("os.py", "json/__init__.py", "encodings/utf_8.py", "ssl.py", "zoneinfo/__init__.py"):
        assert f"{prefix}/{module}" in files
    for name in ("python", "python3", python.name):
        assert resolved(f"var/lang/bin/{name}", files) == f"var/lang/bin/{python.name}"
    assert files[f"var/lang/bin/{python.name}"].mode == 0o755
    other = [path for path in files if "site-packages" in path or path.endswith(".pyc")]
    assert other == [f"{prefix}/site-packages/opt.pth"]
    assert {file.mode for file in files.values()} <= {0o644, 0o755, 0o1777}
    assert len(files) == len(observe_host(python, SAFE, cache).files)


def test_what_is_dropped_has_a_reason(this_python: Interpreter, cache: Cache):
    """Trim level safe leaves out tests and says why; level none leaves out nothing and strips nothing."""
    safe, everything = observe_host(this_python, SAFE, cache), observe_host(this_python, Choice("none"), cache)
    assert all(safe.dropped.values())
    assert any(path.endswith("/idlelib/idle.py") for path in safe.dropped)
    assert everything.dropped == {}
    assert set(by_path(everything)) - set(by_path(safe)) >= set(safe.dropped)
    assert not [file for file in everything.files if file.how is How.WITHOUT_DEBUG]


def test_certificates_are_where_every_openssl_looks(this_python: Interpreter, cache: Cache):
    """The CA bundle is in the image, and each default place of OpenSSL leads to it."""
    files = by_path(observe_host(this_python, SAFE, cache))
    assert Path(files[CA_BUNDLE].source).read_bytes().count(b"BEGIN CERTIFICATE") > 50
    for place in ("etc/ssl/cert.pem", "usr/lib/ssl/cert.pem", "etc/pki/tls/cert.pem", "usr/local/ssl/cert.pem"):
        assert resolved(place, files) == CA_BUNDLE


def test_time_zones_and_their_aliases_are_there(this_python: Interpreter, cache: Cache):
    """A zone is a file, an alias a link to one, and no link leads to what was left out."""
    if not Path("/usr/share/zoneinfo/Europe/Berlin").exists():
        elsewhere("it has no time zones")
    files = by_path(observe_host(this_python, SAFE, cache))
    zones = {path: file for path, file in files.items() if path.startswith("usr/share/zoneinfo/")}
    assert "usr/share/zoneinfo/Europe/Berlin" in zones
    assert resolved("usr/share/zoneinfo/UTC", files) in files
    for path in zones:
        assert resolved(path, files) in files, path
    assert not [path for path in zones if "/right/" in path or path.endswith(".tab")]


def test_small_files_and_tmp_are_planned(this_python: Interpreter, cache: Cache):
    """Names of users and hosts resolve, and /tmp is there for every uid."""
    files = by_path(observe_host(this_python, SAFE, cache))
    assert files["etc/nsswitch.conf"].content == b"passwd: files\ngroup: files\nhosts: files dns\n"
    assert files["etc/passwd"].content.startswith(b"root:x:0:0:")
    assert (files["tmp"].how, files["tmp"].mode) == (How.FOLDER, 0o1777)


def test_system_data_that_is_not_here_is_said(this_python: Interpreter):
    """Missing data is a warning with its purpose, not silence."""
    files, absent = _data(
        {"data": [{"path": "/nope/zoneinfo", "leave": [], "why": "time zones, for zoneinfo"}]}, this_python
    )
    assert files == []
    assert absent == ["/nope/zoneinfo is not on this machine and not in the image (time zones, for zoneinfo)"]


def test_links_in_system_data_stay_links_within_what_is_kept(write, this_python: Interpreter):
    """A link to a kept file is a link; one to what is left out, or out of the folder, becomes the file."""
    folder = write({"zone": "z", "left/f": "x"})
    for name, target in (
        ("alias", "zone"),
        ("into", "left/f"),
        ("out", "../function/zone"),
        ("abs", str(folder / "zone")),
    ):
        (folder / name).symlink_to(target)
    files, _ = _data({"data": [{"path": str(folder), "leave": ["left"], "why": "w"}]}, this_python)
    found = {posixpath.basename(file.path): (file.how, file.source) for file in files}
    assert found["alias"] == (How.LINK, "zone")
    assert set(found) == {"abs", "alias", "into", "out", "zone"}
    assert {found[name][0] for name in ("abs", "into", "out", "zone")} == {How.COPY}


def test_a_standard_library_in_lib64_stays_there(this_python: Interpreter, cache: Cache, tmp_path: Path):
    """A Python that was built to look in lib64 finds its modules there."""
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64" / this_python.name).symlink_to(this_python.stdlib)
    other = replace(this_python, stdlib=str(tmp_path / "lib64" / this_python.name))
    assert f"var/lang/lib64/{this_python.name}/os.py" in by_path(observe_host(other, SAFE, cache))


def test_a_python_without_its_library_is_refused(this_python: Interpreter, cache: Cache, tmp_path: Path):
    """An empty and a missing standard library are the interpreter's fault, by name."""
    with pytest.raises(InterpreterError, match=f"{tmp_path} holds no standard library") as caught:
        observe_host(replace(this_python, stdlib=str(tmp_path)), SAFE, cache)
    assert "Name a complete Python" in caught.value.hint
    with pytest.raises(InterpreterError, match=r"reading the interpreter: '.*/nope': No such file") as caught:
        observe_host(replace(this_python, stdlib=str(tmp_path / "nope")), SAFE, cache)
    assert "name another with --python" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "may"),
    [("a.so", True), ("a.cpython-311.so", True), ("l/libx.so.1.2", True), ("a.sofa", False), ("x.so/a.py", False)],
)
def test_libraries_are_known_by_their_names(path: str, *, may: bool):
    """Extension modules and versioned libraries are looked into, other files are not opened."""
    assert may_be_elf(path) is may


def test_the_runtimes_modules_are_planned_by_content(write):
    """Modules, and only modules, go to /var/runtime under their package's name."""
    folder = write({"__main__.py": "x", "a/b.py": "", "notes.md": "", "__pycache__/c.py": ""}, "bootstrap")
    planned = {file.path: file for file in runtime_files([folder])}
    assert sorted(planned) == ["var/runtime/bootstrap/__main__.py", "var/runtime/bootstrap/a/b.py"]
    before = planned["var/runtime/bootstrap/__main__.py"]
    os.utime(folder / "__main__.py", ns=(1, 1))
    assert runtime_files([folder])[0] == before
