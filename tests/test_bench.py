"""What the benchmarks say of measurements: by rules, of which these are tests; measuring itself is not tested."""

import json
import math
from dataclasses import asdict
from itertools import repeat

import pytest

from bench.corpus import Image
from bench.paired import ONE_SIDED, outside_of, ratio_of
from bench.trim_measure import Measured, read_measured
from bench.trim_tables import asked_table, notes, papers_table, size_table, slower, time_table


@pytest.mark.parametrize("count", [1, 9, 10, 14, 15, 100])
def test_an_interval_of_pairs_is_as_sure_as_it_says(count: int) -> None:
    """As narrow as the chance of a median outside allows; too few pairs have none."""
    outside = outside_of(count)

    def chance(values: int) -> float:
        return sum(math.comb(count, number) for number in range(values)) / 2**count

    assert chance(outside) <= ONE_SIDED < chance(outside + 1)
    assert (outside == 0) == (count < 10)


@pytest.mark.parametrize(
    ("firsts", "is_slower", "text"),
    [
        ([1.1] * 13 + [0.9, 1.2], True, "1.10 (1.10 to 1.10)"),  # one of fifteen says otherwise
        ([1.1] * 13 + [0.9, 0.9], False, "1.10 (0.90 to 1.10)"),
        ([1.1] * 9, False, "1.10"),
        ([], False, "none"),
    ],
)
def test_slower_is_what_most_pairs_agree_on(firsts: list[float], is_slower: bool, text: str) -> None:  # noqa: FBT001
    """A ratio's whole interval lies above 1.00; of nothing, nothing is said."""
    ratio = ratio_of(firsts, [1.0] * len(firsts))
    assert (ratio.is_slower, str(ratio)) == (is_slower, text)


def measured(name: str, ratio: float, **missing: str) -> Measured:
    """A function whose start at `reachable` takes `ratio` times as long; a kind that is `missing` has its problem."""
    kinds = ("dockerfile", "none", "safe", "reachable", "traced")
    images = {
        kind: Image(size=10**6 * (2 if kind == "dockerfile" else 1), files=7, next_ms=list(repeat(20.0, 15)))
        for kind in kinds
        if kind not in missing
    }
    if "reachable" in images:
        images["reachable"].next_ms = [20 * ratio] * 15
    return Measured(name, images, (5 * 10**5, 3), list(missing.values()))


def test_a_function_that_was_measured_in_part_keeps_its_row() -> None:
    """What failed is told as such and why; no cell is NaN."""
    rows = [measured("echo", 1.0), measured("lxml", 1.0, traced="build: at `traced`: no", dockerfile="Dockerfile: no")]
    lines = [line for table in (size_table, time_table, papers_table, notes) for line in table(rows)]
    lines += asked_table(rows, {}, math.nan)
    assert "| lxml | failed | 1.00, 7 | 1.00, 7 | **1.00, 7** | failed | 0.50, 3 | none |" in lines
    assert "| lxml | none, 20, 20, 20, none | 1.00 (1.00 to 1.00) | none, none | none | none, none, none |" in lines
    assert "Not measured: lxml, build: at `traced`: no." in lines
    assert not any("nan" in line for line in lines)


def test_the_worst_start_is_named_and_whether_any_is_slower() -> None:
    """Beyond noise, of all functions that were started."""
    fast, slow = measured("echo", 0.9), measured("lxml", 1.2)
    assert slower([fast]) == ("slower beyond noise: none of 1; median 0.90, worst 0.90 (0.90 to 0.90) (echo)")
    assert slower([fast, slow]).startswith("slower beyond noise: 1 of 2: lxml; median 1.05, worst 1.20")
    assert slower([measured("echo", 1, reachable="build: no")]) == "not measured"


def test_what_was_kept_is_read_again(tmp_path) -> None:
    """The same figures; a record of another form is measured anew."""
    found, record = measured("echo", 1.1), tmp_path / "echo.json"
    assert read_measured(record) is None
    record.write_text(json.dumps(asdict(found), default=str))
    assert read_measured(record) == found
    record.write_text('{"name": "echo", "images": {"safe": {"answers": true}}, "floor": [1, 2]}')
    assert read_measured(record) is None
