"""Flags and variables of the HTTP mode."""

import pytest

from emulator.cli import parse_arguments
from emulator.cors import Cors
from emulator.errors import UsageError
from emulator.http_options import HttpOptions


def parse(*flags, **variables):
    return parse_arguments([*flags, "--", "x"], variables)


def test_the_mode_is_asked_for():
    """Without it there is none; with it the defaults."""
    assert parse().http is None
    assert parse("--http").http == HttpOptions(0, "/ping", None, 8.0)


def test_every_option():
    """As flags."""
    flags = ["--http", "--proxies", "2", "--health-path", "/up", "--cors", "*", "--drain", "1", "--limit-bandwidth"]
    arguments = parse(*flags)
    assert arguments.http == HttpOptions(2, "/up", Cors(("*",), ("*",), ("*",)), 1.0)
    assert arguments.bandwidth_limited


def test_every_option_is_a_variable():
    """That is how an image is configured; a flag wins."""
    arguments = parse(
        "--proxies", "3", EMULATOR_HTTP="1", EMULATOR_PROXIES="2", EMULATOR_HEALTH_PATH="", EMULATOR_TIMEOUT="7"
    )
    assert arguments.http == HttpOptions(3, "", None, 8.0)
    assert arguments.settings.timeout_s == 7
    assert parse(EMULATOR_HTTP="0").http is None


def test_the_port():
    """A flag, our variable, the platform's, 8080."""
    assert parse(PORT="9999").port == 9999
    assert parse(PORT="").port == 8080
    assert parse(PORT="9999", EMULATOR_PORT="9998").port == 9998
    assert parse("--port", "9997", PORT="9999", EMULATOR_PORT="9998").port == 9997


@pytest.mark.parametrize(
    ("flags", "variables", "found"),
    [
        (["--proxies", "-1"], {}, "--proxies: found -1"),
        (["--proxies", "17"], {}, "--proxies: found 17"),
        (["--health-path", "up"], {}, "--health-path: found 'up'"),
        (["--drain", "-1"], {}, "--drain: found '-1'"),
        (["--drain", "nan"], {}, "--drain: found 'nan'"),
        (["--cors", "*"], {}, "--cors: it needs --http"),
        (["--http", "--cors", "{"], {}, "--cors: found '{'"),
        ([], {"EMULATOR_HTTP": "maybe"}, "EMULATOR_HTTP: found 'maybe'"),
        ([], {"PORT": "http"}, "PORT: found 'http'"),
    ],
)
def test_what_cannot_be_right(flags, variables, found):
    """The message names the option or the variable."""
    with pytest.raises(UsageError) as caught:
        parse(*flags, **variables)
    assert found in str(caught.value)
