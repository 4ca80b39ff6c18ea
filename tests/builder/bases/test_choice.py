"""`--base` is read as people mean it, and what is none is told with the forms there are."""

import pytest

from builder.bases import BaseName, parse_base
from builder.errors import BaseError


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("host", "host", ""),
        ("oci:dist/base", "oci", "dist/base"),
        ("oci:dist/base:1.0", "oci", "dist/base:1.0"),
        ("tar:base.tar", "tar", "base.tar"),
        ("docker:python:3.13-slim", "docker", "python:3.13-slim"),
        ("python:3.13-slim", "registry", "python:3.13-slim"),
        ("host/image", "registry", "host/image"),
        ("localhost:5000/team/base@sha256:" + "0" * 64, "registry", "localhost:5000/team/base@sha256:" + "0" * 64),
        ("public.ecr.aws/lambda/python:3.13", "registry", "public.ecr.aws/lambda/python:3.13"),
    ],
)
def test_each_form_names_a_place(text, kind, target):
    assert parse_base(text) == BaseName(kind, target)
    assert str(parse_base(text)) == text


@pytest.mark.parametrize(
    "text", ["", "oci:", "tar:", "docker", "oci", "a b", "oci:a\0b", "-x", "--flatten", "Ä", "../x"]
)
def test_what_is_no_base_is_told_with_the_forms(text):
    with pytest.raises(BaseError, match="is none of host, oci:DIR, tar:FILE, docker:NAME") as caught:
        parse_base(text, origin="pyproject.toml, [tool.build-image]")
    assert "reading pyproject.toml" in str(caught.value)
    assert "firkin bases" in caught.value.hint
