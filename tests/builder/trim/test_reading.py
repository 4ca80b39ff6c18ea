"""Many files read at once, by processes of their own."""

import json
import signal
import sysconfig
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.plan import How, PlannedFile, PlannedLayer
from builder.trim.facts import render_facts
from builder.trim.facts_store import FactsStore
from builder.trim.reader import read_facts
from builder.trim.reading import WORTH_FILES, Job, Readers

STDLIB = Path(sysconfig.get_path("stdlib"))
SOURCES = sorted(STDLIB.glob("[a-d]*.py"))
VERSION = (3, 11)


def job(file: Path) -> Job:
    return Job("source", f"var/lang/{file.name}", str(file), file.stat().st_size)


@pytest.fixture
def readers(monkeypatch):
    monkeypatch.setattr("builder.trim.reading.usable_cores", lambda: 2)
    readers = Readers(VERSION, frozenset({"json", "zlib"}))
    yield readers
    readers.close()


def all_answers(readers):
    found = {}
    while any(worker.begun for worker in readers._workers):
        found |= {job.file: answer for job, answer in readers.answers(wait=True)}
    return found


def test_they_say_what_reading_here_says(readers):
    """The same facts for each file, whoever reads it."""
    readers.ask(map(job, SOURCES))
    here = {str(file): render_facts(read_facts(file.read_bytes(), VERSION)) for file in SOURCES}
    assert len(SOURCES) > WORTH_FILES
    assert all_answers(readers) == json.loads(json.dumps(here))


def test_few_files_begin_no_process(readers):
    """An edit of a function does not pay for the start of another Python."""
    readers.ask(map(job, SOURCES[: WORTH_FILES - 1]))
    assert not readers._workers
    assert [readers.withdraw().file for _ in SOURCES[: WORTH_FILES - 1]] == list(map(str, SOURCES[: WORTH_FILES - 1]))
    assert readers.withdraw() is None


def test_who_asks_reads_what_nobody_has_begun(readers):
    """A file is read once: by a process, or by who needs it sooner."""
    jobs = list(map(job, SOURCES))
    readers.ask(jobs)
    begun = [one for one in jobs if readers.is_begun(one.path)]
    assert 0 < len(begun) < len(jobs)
    assert readers.withdraw(begun[0].path) is None
    assert readers.withdraw(jobs[-1].path) == jobs[-1]
    assert all_answers(readers).keys() == {one.file for one in jobs[:-1]}


def test_a_file_that_cannot_be_read_is_left_to_who_needs_it(readers):
    """It is told there, with what was being done."""
    gone = Job("source", "var/lang/gone.py", "/nowhere/gone.py", 0)
    readers.ask([gone, *map(job, SOURCES)])
    assert all_answers(readers).keys() == set(map(str, SOURCES))
    assert not readers.is_begun(gone.path)


def test_a_process_that_is_killed_costs_time_and_nothing_else(readers):
    """What it has not answered is read by whoever needs it."""
    readers.ask(map(job, SOURCES))
    readers._workers[0].process.send_signal(signal.SIGKILL)
    readers._workers[0].process.wait()
    all_answers(readers)
    assert not readers._workers
    assert not any(readers.is_begun(one.path) for one in map(job, SOURCES))
    readers.ask([job(SOURCES[0])])
    assert readers.withdraw(job(SOURCES[0]).path) is not None


def test_the_store_finds_what_they_said(readers, tmp_path):
    """Facts read ahead are those that are asked for, and remembered; odd names of files too."""
    odd = tmp_path / "odd\udcff.py"
    odd.write_bytes(b"import zlib\n")
    files = [*SOURCES, odd]
    planned = [
        PlannedFile(f"opt/python/{file.name}", str(file), "", How.COPY, size=file.stat().st_size, stamp="1")
        for file in files
    ]
    store = FactsStore([PlannedLayer("dependencies", tuple(planned))], VERSION, Cache(tmp_path / "cache", print))
    store._readers = readers
    store.ahead(file.path for file in planned)
    for file, one in zip(files, planned, strict=True):
        assert store.facts(one.path) == read_facts(file.read_bytes(), VERSION)
    assert None not in [store._remembered("source", file.path) for file in planned]
    store.close()
    assert not readers._workers


@pytest.mark.parametrize(
    ("layer", "folder", "begins"), [("dependencies", "opt/python", True), ("interpreter", "var/lang/lib", False)]
)
def test_much_that_is_read_for_the_first_time_begins_them_at_once(readers, tmp_path, layer, folder, begins):
    """Of dependencies: the standard library's sources are known. The second time nothing begins."""
    planned = [
        PlannedFile(f"{folder}/{file.name}", str(file), "", How.COPY, size=file.stat().st_size, stamp="1")
        for file in SOURCES
    ]
    for is_first in (True, False):
        store = FactsStore([PlannedLayer(layer, tuple(planned))], VERSION, Cache(tmp_path / "cache", print))
        store.begin()
        assert bool(store._readers and store._readers._workers) == (begins and is_first)
        store.facts(planned[0].path)
        store.save()
        store.close()
