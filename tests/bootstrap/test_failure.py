"""From an exception to what the platform, X-Ray and the log are told; `traceback` is the witness."""

from __future__ import annotations

import json
import sys
import traceback
import zipfile

import pytest

from bootstrap.errors import HandlerNotFoundError, UserCodeSyntaxError
from bootstrap.failure import describe_failure
from bootstrap.payload import parse_json


def raised_by(function) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001  any exception is the point
        return error
    raise AssertionError("nothing was raised")


def recurse(depth: int) -> None:
    if depth:
        recurse(depth - 1)
    raise ValueError("deep")


def divide() -> object:
    return 1 // 0  # \u00e9


def witness(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])


@pytest.mark.parametrize(
    "function", [divide, lambda: recurse(1), lambda: recurse(4), lambda: recurse(50), lambda: eval("1/0")]
)
def test_stack_traces_are_those_of_traceback(function) -> None:
    """Files, lines, names, source and the folding of repetitions are the standard library's."""
    error = raised_by(function)
    assert list(describe_failure(error, working_directory="/w").stack_trace) == witness(error)


def test_source_comes_from_zip_files_too(tmp_path, monkeypatch) -> None:
    """A module in a zip file shows its lines, as `traceback` does."""
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("fk_zipped.py", "def f():\n    raise OSError('zip')\n")
    monkeypatch.syspath_prepend(tmp_path / "code.zip")
    error = raised_by(lambda: __import__("fk_zipped").f())
    del sys.modules["fk_zipped"]
    assert list(describe_failure(error, working_directory="/w").stack_trace) == witness(error)
    assert "raise OSError('zip')" in witness(error)[-1]


def test_our_own_frames_are_hidden() -> None:
    """The trace starts behind the runtime's last leading frame."""
    error = raised_by(lambda: parse_json("{"))  # the runtime calls json, which refuses
    inside = error.__traceback__.tb_next.tb_next
    assert inside.tb_frame.f_code.co_name == "parse_json"
    shown = describe_failure(error.with_traceback(inside), working_directory="/w").frames
    assert [frame.function for frame in shown] == ["loads", "decode", "raw_decode"]


def test_the_body_has_the_contracts_order() -> None:
    """errorMessage, errorType, requestId, stackTrace: in this order, escaped unless told otherwise."""
    failure = describe_failure(raised_by(lambda: int("\u00e9")), working_directory="/w")
    body = failure.body("id-1", raw_utf8=False)
    message = b"invalid literal for int() with base 10: '\\u00e9'"
    start = b'{"errorMessage": "%b", "errorType": "ValueError", "requestId": "id-1", "stackTrace": ["  File '
    assert body.startswith(start % message)
    assert "\u00e9".encode() in failure.body("", raw_utf8=True)


def test_errors_of_ours_travel_under_their_wire_type() -> None:
    """A fault has no frames of the handler; X-Ray knows it as a validation error, as from awslambdaric."""
    failure = describe_failure(HandlerNotFoundError("gone"), working_directory="/w")
    assert json.loads(failure.body("", raw_utf8=False)) == {
        "errorMessage": "gone", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": [],
    }  # fmt: skip
    assert json.loads(failure.xray_cause()) == {
        "working_directory": "/w",
        "exceptions": [{"message": "gone", "type": "LambdaValidationError", "stack": []}],
        "paths": [],
    }


def test_the_xray_cause_names_frames_and_files() -> None:
    """One line of ASCII, frames with label, path and line, each file once."""
    failure = describe_failure(raised_by(lambda: recurse(2)), working_directory="/w")
    cause = json.loads(failure.xray_cause())
    (exception,) = cause["exceptions"]
    assert (exception["message"], exception["type"]) == ("deep", "ValueError")
    assert [frame["label"] for frame in exception["stack"]][-3:] == ["recurse"] * 3
    assert exception["stack"][-1]["line"] == recurse.__code__.co_firstlineno + 3
    assert cause["paths"] == [__file__]
    assert failure.xray_cause().isascii()
    assert "\n" not in failure.xray_cause()


def test_the_log_record_is_one_line_for_cloudwatch() -> None:
    """Lines are joined by carriage returns and indented by no-break spaces, with one line end."""
    trace = ('  File "/a.py" Line 2\n    def (\n',)
    record = describe_failure(UserCodeSyntaxError("bad", trace), working_directory="/w").text_record()
    assert record == (
        "[ERROR] Runtime.UserCodeSyntaxError: bad\rTraceback (most recent call last):\r"
        '\u00a0\u00a0File "/a.py" Line 2\r\u00a0\u00a0\u00a0\u00a0def ('
    )
    assert describe_failure(KeyError(), working_directory="/").text_record().startswith("[ERROR] KeyError\r")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")


def test_an_exception_that_cannot_be_printed_is_still_reported() -> None:
    """The exception's own __str__ is the function's code, and may fail as well."""
    failure = describe_failure(UnprintableError(), working_directory="/w")
    assert (failure.error_type, failure.message) == ("UnprintableError", "<unprintable UnprintableError object>")
