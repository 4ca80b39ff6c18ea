"""JSON beside awslambdaric's simplejson: the same bytes for what is sent, the same values for what comes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bootstrap.payload import parse_event, render_result
from tests.conformance import marshalled

pytestmark = pytest.mark.network

# docs/reference/differences-from-awslambdaric.md: an event may hold what a result may hold.
ACCEPTED_HERE = {"event: NaN", "event: Infinity", "event: -Infinity"}


@pytest.mark.parametrize("execution_env", ["", "AWS_Lambda_python3.11", "AWS_Lambda_python3.12"])
def test_results_and_events_are_those_of_simplejson(awslambdaric_python: str, execution_env: str) -> None:
    """Byte for byte, and error for error; of events only the words of the error are another library's."""
    printed = subprocess.run(
        [awslambdaric_python, marshalled.__file__],
        env={**os.environ, "AWS_EXECUTION_ENV": execution_env, "PYTHONPATH": ""},
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    theirs = json.loads(printed)
    ours = marshalled.outcomes(
        lambda value: render_result(value, raw_utf8=execution_env.endswith("3.12")),
        lambda event: parse_event(event, "application/json"),
    )
    results = [name for name in theirs if name.startswith("result: ")]
    assert {name: ours[name] for name in results} == {name: theirs[name] for name in results}
    for name in set(theirs) - set(results):
        refused = [isinstance(found[name], list) for found in (theirs, ours)]
        if name in ACCEPTED_HERE:
            assert refused == [True, False], name
        elif not any(refused):
            assert ours[name] == theirs[name]
        else:
            assert all(refused), name
            assert ours[name][1].startswith("Unable to unmarshal input: ")


def test_every_named_difference_is_one() -> None:
    """The names above are cases."""
    assert {f"event: {name}" for name in marshalled.EVENTS} >= ACCEPTED_HERE
    assert Path(marshalled.__file__).is_file()
