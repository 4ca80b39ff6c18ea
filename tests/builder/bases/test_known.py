"""What images/ says of bases is complete, and is found by the name that people give."""

import pytest

from builder.bases.known import known_bases, maybe_known, python_folders, render_bases


def test_every_base_says_where_its_facts_come_from():
    """None of them can be fetched for a test: so each names its sources."""
    names = [base.name for base in known_bases()]
    assert names[0] == "host"
    assert {"aws-python", "docker-python-slim", "docker-python-alpine", "distroless-python3", "provided"} < set(names)
    for base in known_bases():
        assert base.notes
        assert base.libc
        assert base.sources or base.name == "host"
        assert base.python.startswith("/") or base.name == "provided"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("public.ecr.aws/lambda/python:3.13", "aws-python"),
        ("public.ecr.aws/lambda/python@sha256:" + "0" * 64, "aws-python"),
        ("public.ecr.aws/lambda/provided:al2023", "provided"),
        ("python:3.13-slim", "docker-python-slim"),
        ("python:3.13-slim-bookworm", "docker-python-slim"),
        ("docker.io/library/python:3.12-alpine3.23", "docker-python-alpine"),
        ("gcr.io/distroless/python3-debian13:nonroot", "distroless-python3"),
        ("localhost:5000/python", None),
        ("team/base:1", None),
    ],
)
def test_a_name_is_recognised_whatever_its_tag(reference, name):
    found = maybe_known(reference)
    assert (found and found.name) == name


def test_the_list_for_people_has_every_base_and_its_notes():
    text = render_bases(known_bases())
    assert text.startswith("BASE ")
    for base in known_bases():
        assert base.reference in text
        assert base.notes in text
    assert "/var/lang/bin" in list(python_folders())
