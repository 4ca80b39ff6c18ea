"""Facts of the standard library that a wheel brings."""

import json
import sysconfig
from pathlib import Path

from builder.cache import Cache
from builder.plan import LANG, RUNTIME, PlannedFile, PlannedLayer
from builder.trim import known_sources
from builder.trim.facts import parse_facts
from builder.trim.facts_store import FactsStore
from builder.trim.known_sources import known_facts, name_of, place_of, write_known_facts
from builder.trim.reader import read_facts

VERSION = (3, 11)
SOURCES = [file.read_bytes() for file in sorted(Path(sysconfig.get_path("stdlib")).glob("a*.py"))]


def test_they_are_what_reading_says(tmp_path):
    """For every source of the table the same facts, whoever reads it."""
    write_known_facts(VERSION, SOURCES, tmp_path)
    table = known_facts(VERSION, tmp_path)
    assert len(table) == len(SOURCES) > 5
    for source in SOURCES:
        assert parse_facts(table[name_of(source)]) == read_facts(source, VERSION)


def test_a_table_of_other_readers_is_none(tmp_path, monkeypatch):
    """A change of how files are read makes the table unfindable, and the next one takes its place."""
    old = write_known_facts(VERSION, SOURCES[:1], tmp_path)
    monkeypatch.setattr(known_sources, "readers_digest", lambda: "0" * 64)
    assert place_of(VERSION, tmp_path) != old
    write_known_facts(VERSION, SOURCES[:1], tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["3.11-0000000000000000.json.z"]


def test_none_or_a_damaged_one_costs_time_only(tmp_path):
    """Then everything is read."""
    assert known_facts((3, 12), tmp_path) == {}
    place_of(VERSION, tmp_path).write_bytes(b"x")
    assert known_facts(VERSION, tmp_path) == {}


def test_only_the_same_source_of_the_interpreter_is_known(tmp_path, monkeypatch):
    """And of the runtime. A patched file is read; so is a package that happens to hold the same bytes."""
    table = {
        name_of(b"import zlib\n"): json.loads('[[[0, "told", [], [], false]], "", "", "", "", "", "", "", "", "", ""]')
    }
    monkeypatch.setattr(known_sources, "known_facts", lambda _: table)
    texts = {
        f"{LANG}/lib/same.py": b"import zlib\n",
        f"{LANG}/lib/other.py": b"import bz2\n",
        f"{RUNTIME}/bootstrap/own.py": b"import zlib\n",
        "opt/python/p.py": b"import zlib\n",
    }
    planned = []
    for path, text in texts.items():
        file = tmp_path / Path(path).name
        file.write_bytes(text)
        planned.append(PlannedFile(path, str(file), "", size=len(text), stamp="1"))
    store = FactsStore([PlannedLayer("all", tuple(planned))], VERSION, Cache(tmp_path / "cache", print))
    store.ahead(texts)
    assert [store.facts(path).imports[0].module for path in texts] == ["told", "bz2", "told", "zlib"]
    store.close()
