"""Cross-origin resource sharing from a function URL's configuration."""

import json

import pytest

from emulator.cors import Cors, add_headers, answer_preflight, parse_cors
from emulator.errors import UsageError

SITE = "https://site.example"
ASKS = {"origin": SITE, "access-control-request-method": "PUT", "access-control-request-headers": "x-a, x-b"}


def preflight(cors, **changes):
    told = answer_preflight(cors, "OPTIONS", {**ASKS, **changes})
    return {name.lower(): value for name, value in told.headers}


def test_a_configuration_is_read():
    """With the names of the Lambda API."""
    text = json.dumps({
        "AllowOrigins": [SITE], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "ExposeHeaders": ["x-c"],
        "AllowCredentials": True, "MaxAge": 60,
    })  # fmt: skip
    assert parse_cors(text, source="--cors") == Cors(
        (SITE,), ("GET",), ("x-a",), ("x-c",), allow_credentials=True, max_age_s=60
    )
    assert parse_cors("*", source="--cors") == Cors(("*",), ("*",), ("*",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give a JSON object"),
        ("[]", "give a JSON object"),
        ('{"Origins": []}', r"found 'Origins'; known are AllowOrigins"),
        ('{"AllowOrigins": "*"}', "give a list of texts"),
        ('{"AllowOrigins": ["a\\r\\nb"]}', "each on one line"),
        ('{"MaxAge": 86401}', "give seconds from 0 to 86400"),
        ('{"MaxAge": true}', "give seconds"),
        ('{"AllowCredentials": 1}', "give true or false"),
    ],
)
def test_a_wrong_configuration_is_explained(text, message):
    """What was read, what was found, what to give."""
    with pytest.raises(UsageError, match=f"reading --cors: .*{message}"):
        parse_cors(text, source="--cors")


def test_a_preflight_is_answered():
    """What is allowed is listed."""
    told = preflight(Cors((SITE,), ("GET", "PUT"), ("x-a",), max_age_s=60))
    assert told == {
        "access-control-allow-origin": SITE, "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-a", "access-control-max-age": "60",
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }  # fmt: skip


def test_wildcards_allow_what_is_asked():
    """Methods and headers are named, since browsers take `*` literally beside credentials."""
    told = preflight(parse_cors("*", source=""))
    assert told["access-control-allow-origin"] == "*"
    assert told["access-control-allow-methods"] == "PUT"
    assert told["access-control-allow-headers"] == "x-a, x-b"


def test_with_credentials_the_origin_is_named():
    """The standard forbids `*` there."""
    told = preflight(Cors(("*",), ("*",), allow_credentials=True))
    assert (told["access-control-allow-origin"], told["access-control-allow-credentials"]) == (SITE, "true")


def test_a_stranger_is_told_nothing():
    """Without the header the browser refuses."""
    assert "access-control-allow-origin" not in preflight(Cors(("https://other.example",), ("*",)))


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", ASKS), ("OPTIONS", {"origin": SITE}), ("OPTIONS", {"access-control-request-method": "PUT"})],
)
def test_other_requests_are_the_functions(method, headers):
    """A plain OPTIONS is no preflight."""
    assert answer_preflight(Cors(("*",)), method, headers) is None


def test_answers_get_the_headers():
    """In place of the function's own, which would be there twice."""
    cors = Cors((SITE,), ("*",), (), ("x-c", "x-d"), allow_credentials=True)
    assert add_headers(cors, SITE, [("x", "1"), ("access-control-allow-ORIGIN", "*")]) == (
        ("x", "1"), ("Access-Control-Allow-Origin", SITE), ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "x-c, x-d"), ("Vary", "Origin"),
    )  # fmt: skip
    assert add_headers(cors, None, [("x", "1")]) == (("x", "1"), ("Vary", "Origin"))
