"""What a disk refuses becomes one sentence with the deed, the system's words and an advice."""

import errno
import os

import pytest

from builder.disk import advice, disk
from builder.errors import OutputError


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "writable"),
        (errno.EPERM, "writable"),
        (errno.EROFS, "read-only"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.EIO, "Nothing was left half-written"),
    ],
)
def test_each_refusal_has_its_advice(number, words):
    with pytest.raises(OutputError) as caught, disk("writing x", elsewhere="put it elsewhere"):
        raise OSError(number, os.strerror(number), "/a/file")
    assert str(caught.value) == f"writing x: {os.strerror(number)} (/a/file)"
    assert words in caught.value.hint
    assert ("put it elsewhere" in caught.value.hint) == ("elsewhere" in advice(number, elsewhere="elsewhere"))


def test_an_error_without_advice_takes_the_callers():
    with pytest.raises(OutputError) as caught, disk("writing x", otherwise="Do that."):
        raise OSError(errno.EIO, "Input/output error")
    assert caught.value.hint == "Do that."


def test_other_errors_pass():
    with pytest.raises(KeyError), disk("writing x"):
        raise KeyError("x")
