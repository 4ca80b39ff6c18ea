"""Subscriptions to the Telemetry API: what is accepted, and what is wrong with the rest."""

import json

import pytest

from emulator import telemetry_api as api
from emulator.http1 import Request

WANTED = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/logs?x=1"},
}


def subscribe(method="PUT", **changes):
    body = json.dumps({**WANTED, **changes}).encode()
    return api.parse_subscription(Request(method, "/2022-07-01/telemetry", {}, body, len(body), keep_alive=True))


def test_a_subscription_with_defaults():
    """Buffering is AWS's default."""
    assert subscribe() == api.Subscription(
        ("platform", "function"),
        api.Destination(4243, "/logs?x=1"),
        api.Buffering(10_000, 262_144, 1_000),
        "2022-12-13",
    )  # fmt: skip


@pytest.mark.parametrize("version", api.SCHEMA_VERSIONS)
def test_schema_versions(version):
    """Those that are documented."""
    assert subscribe(schemaVersion=version).schema_version == version


def test_buffering_and_tcp():
    """Limits of a batch, and lines to a port."""
    told = subscribe(buffering={"maxItems": 1000, "timeoutMs": 25}, destination={"protocol": "TCP", "port": 9})
    assert told.buffering == api.Buffering(1000, 262_144, 25)
    assert told.destination == api.Destination(9, None)


@pytest.mark.parametrize(("uri", "port", "path"), [("http://sandbox", 80, "/"), ("http://sandbox:81", 81, "/")])
def test_short_addresses(uri, port, path):
    """Port and path have defaults."""
    assert subscribe(destination={"protocol": "HTTP", "URI": uri}).destination == api.Destination(port, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaVersion": "1999-01-01"}, "schemaVersion is '1999-01-01'; it must be one of 2022-07-01"),
        ({"types": []}, "types is"),
        ({"types": ["beer"]}, "types is"),
        ({"types": "platform"}, "types is"),
        ({"destination": None}, "destination is 'None'"),
        ({"destination": {"protocol": "UDP"}}, "destination.protocol is 'UDP'"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "destination.port is '0'"),
        ({"destination": {"protocol": "TCP", "port": "9"}}, "destination.port is '9'"),
        ({"destination": {"protocol": "HTTP"}}, "destination.URI is 'None'"),
        ({"destination": {"protocol": "HTTP", "URI": "http://169.254.169.254/"}}, "destination.URI is"),
        ({"destination": {"protocol": "HTTP", "URI": "https://sandbox:1/"}}, "destination.URI is"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:1/\r\nX: y"}}, "destination.URI is"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:99999/"}}, "Port out of range"),
        ({"buffering": []}, "buffering is"),
        ({"buffering": {"maxItems": 999}}, "buffering.maxItems is '999'; it must be a number from 1000 to 10000"),
        ({"buffering": {"maxBytes": 1}}, "buffering.maxBytes is '1'"),
        ({"buffering": {"timeoutMs": 30001}}, "buffering.timeoutMs is '30001'"),
        ({"buffering": {"timeoutMs": True}}, "buffering.timeoutMs is 'True'"),
    ],
)
def test_what_is_wrong_is_said(changes, message):
    """A ValidationError that names the member; events leave this machine in no way."""
    response = subscribe(**changes)
    told = json.loads(response.body)
    assert (response.status, told["errorType"]) == (400, "ValidationError")
    assert message in told["errorMessage"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000])
def test_what_is_no_object(body):
    """Nor JSON."""
    request = Request("PUT", "/2022-07-01/telemetry", {}, body, len(body), keep_alive=True)
    assert api.parse_subscription(request).status == 400


def test_the_method_is_put():
    """Only."""
    assert subscribe("POST").status == 405
