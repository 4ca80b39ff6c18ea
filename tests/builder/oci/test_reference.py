import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Reference, UsageError


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
