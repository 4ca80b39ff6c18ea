"""What `firkin run --reload` takes for a change of the function."""

import asyncio
import contextlib

import pytest

from builder.reload import changed, changes, snapshot


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("one")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_text("x")
    return tmp_path


def test_edits_additions_and_removals_are_changes(folder):
    """Each is named."""
    (folder / "gone.py").write_text("")
    before = snapshot(folder)
    (folder / "app.py").write_text("other")
    (folder / "new.py").write_text("")
    (folder / "gone.py").unlink()
    assert changed(before, snapshot(folder)) == ["app.py", "gone.py", "new.py"]


def test_what_is_not_shipped_is_no_change(folder):
    """Version control, bytecode and what .dockerignore names."""
    (folder / ".dockerignore").write_text("*.log\n")
    before = snapshot(folder)
    (folder / ".git" / "index").write_text("yy")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.cpython-311.pyc").write_text("")
    (folder / "app.log").write_text("")
    assert changed(before, snapshot(folder)) == []


def test_an_unreadable_folder_has_no_files(tmp_path):
    """It may come back."""
    assert snapshot(tmp_path / "nope") == {}


def test_a_replaced_file_of_the_same_size_and_time_is_a_change(folder):
    """Editors write beside and rename."""
    before = snapshot(folder)
    (folder / "beside").write_text("two")
    (folder / "beside").replace(folder / "app.py")
    assert changed(before, snapshot(folder)) == ["app.py"]


def test_changes_are_told_once_and_when_all_is_still(folder):
    """Two files saved together are one change."""

    async def story():
        stream = changes(folder, interval_s=0.01)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        (folder / "app.py").write_text("two!")
        (folder / "more.py").write_text("")
        names = await asyncio.wait_for(first, 30)
        second = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.1)
        quiet = not second.done()
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        return names, quiet

    assert asyncio.run(story()) == (["app.py", "more.py"], True)
