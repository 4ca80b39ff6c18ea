"""The corpus is complete, what breaks its promise is a failure, and a few of it keep it; `scripts/corpus` runs all."""

import json
import re
from pathlib import Path

import pytest

from builder.project import read_events
from tests.conformance.corpus_runner import CORPUS, Row, functions, run_level, table, unseen_events

ROW = re.compile(r"^\| ([\w-]+) \| ([^|]*) \|", re.MULTILINE)


def test_every_function_is_in_the_table_with_its_packages():
    """README.md's table is the corpus: a row for each folder, naming what its requirements were made of."""
    rows = dict(ROW.findall((CORPUS / "README.md").read_text(encoding="utf-8")))
    del rows["function"]
    assert sorted(rows) == functions()
    for name, packages in rows.items():
        file = CORPUS / name / "requirements.txt"
        head = file.read_text(encoding="utf-8").partition("\n")[0] if file.exists() else "# of: "
        named = set(re.findall(r"[\w-]+", packages)) - {"none"}
        assert {package.partition("==")[0] for package in head.removeprefix("# of: ").split()} <= named


@pytest.mark.parametrize("name", functions())
def test_every_event_has_its_answer(name: str):
    """A sample or unseen event without an answer would prove nothing; one name is used once."""
    samples, unseen = read_events(CORPUS / name, ()), unseen_events(CORPUS / name)
    assert samples
    assert all(event.expected for event in samples)
    assert len(unseen) >= 3
    names = [event.name for event in (*samples, *unseen)]
    assert len(set(names)) == len(names)
    bodies = [json.dumps(json.loads(event.body)) for event in (*samples, *unseen)]
    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize("name", [name for name in functions() if (CORPUS / name / "requirements.txt").exists()])
def test_requirements_are_pinned_and_hashed_and_name_no_index(name: str):
    """The same wheels are installed from any index, today and later."""
    text = (CORPUS / name / "requirements.txt").read_text(encoding="utf-8")
    wanted = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line and line.endswith("\\") for line in wanted)
    assert text.count("==") - text.partition("\n")[0].count("==") >= len(wanted)
    assert "://" not in text


@pytest.mark.parametrize(
    ("row", "failed"),
    [
        (Row("a", "reachable", size=1, unseen=2, passed=2), False),
        (Row("a", "reachable", size=1, unseen=2, passed=1, problems=("b: wrong",)), True),
        (Row("a", "traced", size=1, unseen=2, passed=1, problems=("b: wrong",)), False),
        (Row("a", "traced", problems=("build-image ended with 7",)), True),
        (Row("a", "untrimmed", problems=("b: wrong",)), True),
    ],
)
def test_a_broken_promise_fails(row: Row, *, failed: bool):
    """An unseen event may fail at `traced` alone, a build at no level; the table says what failed."""
    assert row.failed is failed
    assert ("FAILED" in table([row])) is failed


REPRESENTATIVES = [
    "stdlib-codecs",
    *(pytest.param(name, marks=pytest.mark.network) for name in ("zoneinfo", "markdown")),
]


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_a_trimmed_function_still_does_everything_it_did(warm_cache: Path, name: str):
    """Built at `reachable`, it answers events that the build has not seen."""
    row = run_level(name, "reachable", warm_cache)
    assert row.problems == ()
    assert row.passed == row.unseen
