"""Which host may be told what: the rules that keep credentials and content where they belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import AccessError, ProtocolError, UsageError
from builder.oci.distribution import parse_insecure
from builder.oci.distribution.hosts import (
    api_origin,
    is_insecure,
    origin_of,
    realm_gets_credentials,
    redirected,
    shown,
    upload_url,
)

HUB = "https://registry-1.docker.io/v2/library/demo/manifests/1"


@pytest.mark.parametrize(
    ("domain", "origin"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("localhost:5000", "https://localhost:5000"),
        ("[::1]:5000", "https://[::1]:5000"),
    ],
)
def test_where_a_registry_has_its_api(domain, origin):
    """Docker's own is elsewhere than its name says; every other is where it says, with TLS."""
    assert api_origin(domain) == origin


@pytest.mark.parametrize(
    ("registry", "realm", "expected"),
    [
        (HUB, "https://auth.docker.io/token", True),
        ("https://ghcr.io/v2/", "https://ghcr.io/token", True),
        ("https://registry.gitlab.com/v2/", "https://gitlab.com/jwt/auth", True),
        ("https://registry.example.com:5000/v2/", "https://registry.example.com:5001/token", True),
        ("https://registry.example.com/v2/", "https://login.example.com/token", True),
        ("https://quay.io/v2/", "https://quay.io.evil.example/token", False),
        ("https://quay.io/v2/", "https://evil-quay.io/token", False),
        ("https://quay.io/v2/", "https://evil.io/token", False),
        ("https://registry.example.com/v2/", "https://evil.com/token", False),
        ("https://registry.example.com/v2/", "https://notexample.com/token", False),
        ("https://10.0.0.1/v2/", "https://10.0.0.2/token", False),
        ("https://10.0.0.1/v2/", "https://0.0.1/token", False),
        ("https://[::1]:5000/v2/", "https://[::1]:5001/token", True),
        ("https://localhost/v2/", "https://evil.localhost/token", True),  # below it, as the rule says
        ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/token", True),
        ("http://127.0.0.1:5000/v2/", "https://evil.example/token", False),
    ],
)
def test_a_token_service_near_its_registry_gets_the_credentials(registry, realm, expected):
    """Beside, above or below in the domain, with HTTPS; any other gets none of the registry's."""
    assert realm_gets_credentials(realm, registry) is expected


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        (HUB, "http://auth.docker.io/token"),
        ("https://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/token"),
        ("http://127.0.0.1:5000/v2/", "http://127.0.0.2:5001/token"),
        ("http://registry.example.com/v2/", "http://auth.example.com/token"),
        ("https://registry.example.com/v2/", "http://169.254.169.254/latest/meta-data"),
    ],
)
def test_a_token_service_in_plain_http_is_not_asked(registry, realm):
    with pytest.raises(AccessError, match="it is plain HTTP, where anybody can read along; nothing was sent there"):
        realm_gets_credentials(realm, registry)


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("https://a/v2/x", "/y?z=1", "https://a/y?z=1"),
        ("https://a/v2/x", "https://cdn.example/y", "https://cdn.example/y"),
        ("http://a/v2/x", "http://b/y", "http://b/y"),
        ("https://a/v2/x", "//b/y", "https://b/y"),
        ("https://a/v2/x", "http://insecure:5000/y", "http://insecure:5000/y"),
    ],
)
def test_redirects_lead_to_http(url, location, expected):
    assert redirected(url, location, insecure={"insecure:5000"}) == expected


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://b/y", "it leads to plain HTTP on 'b', where anybody can read along"),
        ("file:///etc/passwd", "is no URL of HTTP"),
        ("https://user:secret@b/y", "is no URL of HTTP without a password"),
        ("https://b:99999999/y", "is no URL of HTTP"),
        ("https://b/\ny", None),
        ("https:///y", None),
    ],
)
def test_other_redirects_are_refused(location, message):
    """Nothing but HTTP, nothing with a password, never from HTTPS to plain HTTP; no secret is shown."""
    if message is None:
        try:
            assert "\n" not in redirected("https://a/v2/x", location, insecure=frozenset())
        except ProtocolError:
            return
        return
    with pytest.raises(ProtocolError, match=message) as caught:
        redirected("https://a/v2/x", location, insecure=frozenset())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/u?s=1", "https://reg:5000/v2/u?s=1"),
        ("u", "https://reg:5000/v2/u"),
        ("https://reg:5000/v2/u", "https://reg:5000/v2/u"),
        ("http://reg:5000/v2/u", "https://reg:5000/v2/u"),
        ("http://reg/v2/u?s=1", "https://reg:5000/v2/u?s=1"),
        ("https://reg/v2/u", "https://reg:5000/v2/u"),
    ],
)
def test_uploads_stay_on_the_registry(location, expected):
    """A registry may be confused about its own scheme and port; only path and query count then."""
    assert upload_url("https://reg:5000/v2/x", location) == expected


@pytest.mark.parametrize("location", ["https://other/u", "https://reg:6000/u", "//other/u", "ftp://reg:5000/u"])
def test_uploads_go_nowhere_else(location):
    with pytest.raises(ProtocolError):
        upload_url("https://reg:5000/v2/x", location)


@pytest.mark.parametrize(
    ("named", "url", "expected"),
    [
        ("localhost:5000", "https://localhost:5000/v2/", True),
        ("localhost:5000", "https://localhost:5001/v2/", False),
        ("localhost", "https://localhost:5001/v2/", True),
        ("localhost", "https://localhost.evil/v2/", False),
        ("reg", "https://evil.reg/v2/", False),
    ],
)
def test_insecure_is_who_was_named(named, url, expected):
    """With a port that port alone, without one every port of the host; nothing below or beside it."""
    assert is_insecure(url, parse_insecure([named])) is expected


@pytest.mark.parametrize("name", ["", "a/b", "http://a", "a b", "*", "*.a", "a:x", "a:99999", "u@a", "a:0"])
def test_what_names_no_host_is_refused(name):
    with pytest.raises(UsageError, match="is no host; use 'HOST' or 'HOST:PORT'"):
        parse_insecure([name])


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a/b?X-Amz-Signature=secret", "https://a/b"),
        ("https://user:secret@a/b", "https://a/b"),
        ("garbage", "garbage"),
    ],
)
def test_what_is_shown_of_a_url_has_no_secret(url, text):
    assert shown(url) == text


@given(st.text(max_size=60))
def test_any_location_is_a_url_or_the_registrys_mistake(location):
    """Whatever a registry writes, the outcome is a URL of HTTP or an error that blames it."""
    for follow in (
        lambda: redirected("https://a/x", location, insecure=()),
        lambda: upload_url("https://a/x", location),
    ):
        try:
            assert origin_of(follow())[0] in {"http", "https"}
        except ProtocolError:
            continue
