"""What registries write into `WWW-Authenticate` is understood; garbage is no challenge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.distribution.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="x"'], [("basic", {"realm": "x"})]),
        (
            [
                'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
            ],
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (['bearer Realm = "a" , ,service=b'], [("bearer", {"realm": "a", "service": "b"})]),
        (['Basic realm="a", Bearer realm="b"'], [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        (["Negotiate, Basic"], [("negotiate", {}), ("basic", {})]),
        (['Basic realm="a"', 'Bearer realm="b"'], [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        ([r'Basic realm="a \"quoted\" \\ one"'], [("basic", {"realm": r'a "quoted" \ one'})]),
        (['Basic realm="first", realm="second"'], [("basic", {"realm": "first"})]),
        ([], []),
        ([""], []),
        (["=", '"', "\x00"], []),
        (['realm="no scheme"'], []),
    ],
)
def test_challenges(headers, expected):
    assert parse_challenges(headers) == tuple(Challenge(*one) for one in expected)


TOKENS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)


@given(
    st.lists(st.tuples(TOKENS, st.dictionaries(TOKENS.map(str.lower), st.text('ab"\\, =:/', max_size=8))), max_size=3)
)
def test_what_is_rendered_is_parsed(challenges):
    """Any values in quotes, any number of challenges in one header."""

    def quoted(value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    texts = [
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in given.items())
        for scheme, given in challenges
    ]
    found = parse_challenges([", ".join(text.strip() for text in texts)])
    assert found == tuple(Challenge(scheme.lower(), parameters) for scheme, parameters in challenges)


@given(st.text(max_size=80))
def test_garbage_gives_no_error(text):
    parse_challenges([text])


def test_an_endless_header_is_cut():
    assert parse_challenges(["Basic " + 'a="b",' * 1_000_000])[0].scheme == "basic"
