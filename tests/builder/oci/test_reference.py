import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Reference, UsageError
from builder.oci.reference import names_registry


@pytest.mark.parametrize(
    ("text", "whole", "familiar"),
    [
        ("demo", "docker.io/library/demo:latest", "demo:latest"),
        ("demo:1.0", "docker.io/library/demo:1.0", "demo:1.0"),
        ("team/demo", "docker.io/team/demo:latest", "team/demo:latest"),
        ("docker.io/library/demo", "docker.io/library/demo:latest", "demo:latest"),
        ("localhost/demo:1", "localhost/demo:1", "localhost/demo:1"),
        ("host:5000/demo", "host:5000/demo:latest", "host:5000/demo:latest"),
        ("127.0.0.1:5000/a/b__c-d.e:V_1", "127.0.0.1:5000/a/b__c-d.e:V_1", "127.0.0.1:5000/a/b__c-d.e:V_1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/f:x", "1.dkr.ecr.eu-west-1.amazonaws.com/f:x", None),
        ("Host/demo", "Host/demo:latest", None),
    ],
)
def test_forms(text, whole, familiar):
    """A short name becomes whole as Docker does it, and short again."""
    reference = Reference.parse(text)
    assert str(reference) == whole
    assert reference.familiar == (familiar or whole)
    assert Reference.parse(whole) == Reference.parse(reference.familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        *["", ":1", "Demo", "demo:", "demo:.x", "demo:" + "x" * 129, "demo:1\n", "demo@sha256:" + "0" * 64],
        *["a//b", "/a", "a/", "a_-b", "a b", "é", "a" * 300, "-a", "host:port/demo", "../demo"],
    ],
)
def test_refuses_what_docker_refuses(text):
    """The message shows the text and a good name."""
    with pytest.raises(UsageError, match=r"is no image name; use lower-case words like 'team/demo:1.0'"):
        Reference.parse(text)


@given(st.text("abAB./:-_@0", max_size=20))
def test_whole_form_parses_back(text):
    """Whatever parses keeps its meaning in both of its forms."""
    try:
        reference = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(reference)) == reference == Reference.parse(reference.familiar)


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("demo", "docker.io/library/demo:latest"),
        (f"demo@{DIGEST}", f"docker.io/library/demo:latest@{DIGEST}"),
        (f"host:5000/a/b:1@{DIGEST}", f"host:5000/a/b:1@{DIGEST}"),
        ("index.docker.io/demo", "docker.io/library/demo:latest"),
    ],
)
def test_where_an_image_is_may_have_a_digest(text, whole):
    """What an image comes from may be named by digest, as in a Dockerfile's FROM."""
    reference = Reference.parse_source(text)
    assert str(reference) == whole
    assert Reference.parse_source(whole) == reference
    assert (reference.digest is None) == ("@" not in text)


@pytest.mark.parametrize(
    "text", ["demo@", "demo@sha256:0", f"@{DIGEST}", f"demo@{DIGEST}@{DIGEST}", "demo@sha512:" + "0" * 128]
)
def test_a_bad_digest_is_refused(text):
    with pytest.raises(UsageError):
        Reference.parse_source(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghcr.io/a/b:1", True), ("localhost/a", True), ("localhost:5000/a", True), ("docker.io/a", True),
        ("team/demo", False), ("demo", False), ("demo:1", False), ("", False),
    ],
)  # fmt: skip
def test_a_name_says_its_registry_or_not(text, expected):
    assert names_registry(text) is expected
