"""What is told at the end of a build."""

from bootstrap.payload import LARGE_BYTES
from builder.summary import LARGE_JSON_BYTES, advice_on_json


def test_large_events_without_orjson_get_a_line_of_advice():
    """From where the runtime would take it, and only if it is not there."""
    assert LARGE_JSON_BYTES == LARGE_BYTES
    assert "65,536 bytes: with orjson" in advice_on_json([2, LARGE_BYTES], ["opt/python/json/__init__.py"])
    assert advice_on_json([LARGE_BYTES - 1], []) == ""
    assert advice_on_json([], []) == ""
    assert advice_on_json([LARGE_BYTES], ["opt/python/orjson/__init__.py"]) == ""
