"""What trimming left out, laid out as a folder."""

from builder.cache import Cache
from builder.plan import How, PlannedFile
from builder.prove.untrimmed import folder_of


def test_files_lie_at_their_places_with_their_modes(write, cache):
    """Copies, links and texts, in folders that any user may enter; no bytecode."""
    source = str(write({"m.py": "x = 1"}) / "m.py")
    rest = [
        PlannedFile("opt/a/m.py", source, "", size=5, stamp="1"),
        PlannedFile("opt/a/__pycache__/m.cpython-311.pyc", source, "", How.BYTECODE),
        PlannedFile("opt/a/l", "m.py", "", How.LINK),
        PlannedFile("etc/t", "", "", How.CONTENT, 0o600, content=b"text"),
    ]
    folder = folder_of(rest, cache)
    assert (folder / "opt/a/m.py").read_text() == (folder / "opt/a/l").read_text() == "x = 1"
    assert (folder / "etc/t").read_bytes() == b"text"
    assert (folder / "etc/t").stat().st_mode & 0o777 == 0o600
    assert (folder / "opt/a").stat().st_mode & 0o777 == 0o755
    assert not (folder / "opt/a/__pycache__").exists()
    assert folder_of(rest, cache) == folder, "it is kept"


def test_what_needs_no_other_mode_is_linked(write, tmp_path):
    """Of packages and the interpreter; never what a person edits. What is edited all the same is laid out anew."""
    made = write({"same.py": "1", "other.py": "2", "own.py": "3"})
    (made / "same.py").chmod(0o644)
    (made / "own.py").chmod(0o644)
    (made / "other.py").chmod(0o600)
    paths = {"opt/python/same.py": "same.py", "opt/python/other.py": "other.py", "var/task/own.py": "own.py"}
    rest = [PlannedFile(path, str(made / name), "", size=1, stamp="1") for path, name in paths.items()]
    warnings: list[str] = []
    cache = Cache(tmp_path / "cache", warnings.append)
    folder = folder_of(rest, cache)
    linked = [(folder / path).samefile(made / name) for path, name in paths.items()]
    assert linked == [True, False, False]
    assert {(folder / path).stat().st_mode & 0o777 for path in paths} == {0o644}
    assert (made / "other.py").stat().st_mode & 0o777 == 0o600
    (made / "same.py").write_text("longer")
    assert (folder_of(rest, cache) / "opt/python/same.py").read_text() == "longer"
    assert len(warnings) == 1
