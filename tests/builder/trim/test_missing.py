"""What an image lacks, read from what a failing run said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.trim.missing import Missing, candidates, find_missing

REST = {
    "opt/python/a/__init__.py": "a",
    "opt/python/a/b.py": "a.b",
    "opt/python/a/data/x.json": "",
    "opt/python/a.libs/libz-1.so.3": "",
    "opt/python/My_Package-1.0.dist-info/METADATA": "",
    "var/lang/lib/python3.11/encodings/cp037.py": "encodings.cp037",
    "opt/python/tzdata/zoneinfo/Rome": "",
    "opt/python/botocore/data/sqs/service-2.json.gz": "",
}


MESSAGES = [
    ("ModuleNotFoundError: No module named 'a.b'", "module a.b", "a/__init__.py a/b.py"),
    ('{"errorMessage": "No module named \\\'a\\\'"}', "module a", "a/__init__.py"),
    ("cannot import name 'b' from 'a' (/opt/python/a)", "module a.b", "a/__init__.py a/b.py"),
    ("AttributeError: module 'a' has no attribute 'b'", "module a.b", "a/__init__.py a/b.py"),
    ("No such file or directory: '/opt/python/a/data/x.json'", "file /opt/python/a/data/x.json", "a/data/x.json"),
    ("No such file or directory: '/opt/python/a/data'", "file /opt/python/a/data", "a/data/x.json"),
    ("libz-1.so.3: cannot open shared object file: No", "library libz-1.so.3", "a.libs/libz-1.so.3"),
    ("LookupError: unknown encoding: cp037", "codec cp037", "encodings/cp037.py"),
    ("'No time zone found with key Europe/Rome'", "zone Europe/Rome", "tzdata/zoneinfo/Rome"),
    ("No package metadata was found for my-package", "distribution my-package", "My_Package-1.0.dist-info/METADATA"),
    ("UnknownServiceError: Unknown service: 'sqs'. Valid", "service sqs", "botocore/data/sqs/service-2.json.gz"),
    (
        "RuntimeError: cannot open the table /opt/python/a/data/x.json!",
        "file /opt/python/a/data/x.json",
        "a/data/x.json",
    ),
]


@pytest.mark.parametrize(("text", "missing", "paths"), MESSAGES)
def test_each_message_names_what_would_help(text: str, missing: str, paths: str):
    """The import system's, open()'s, the loader's, and packages' own words."""
    kind, name = missing.split()
    assert Missing(kind, name) in find_missing(text)
    found = candidates(Missing(kind, name), REST)
    assert [path for path in REST if path.endswith(tuple(f"/{end}" for end in paths.split()))] == found
    assert str(Missing(kind, name)) == missing


def test_a_healthy_log_names_nothing():
    """Only messages of this kind count."""
    assert find_missing("START\nall is well: a.b\nREPORT Duration: 1 ms\n{}") == []


@given(st.text(max_size=300))
def test_any_text_is_read(text: str):
    """Whatever a function prints."""
    for missing in find_missing(text):
        assert isinstance(candidates(missing, REST), list)
