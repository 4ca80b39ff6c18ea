"""Arguments, environment and module path: what the process is told."""

from __future__ import annotations

import pytest

from bootstrap.errors import MalformedSettingError, NoHandlerError
from bootstrap.settings import Settings, parse_address, parse_settings, search_path


@pytest.mark.parametrize(
    ("arguments", "environ", "handler"),
    [
        (["app.handler"], {}, "app.handler"),
        (["app.handler", "more"], {"_HANDLER": "other.handler"}, "app.handler"),
        ([], {"_HANDLER": "env.handler"}, "env.handler"),
        ([""], {"_HANDLER": "env.handler"}, "env.handler"),
    ],
)
def test_the_argument_names_the_handler_before_the_environment(arguments, environ, handler) -> None:
    """CMD wins over `_HANDLER`, which managed instances may leave out."""
    assert parse_settings(arguments, environ, working_directory="/w").handler == handler


def test_no_handler_is_a_usage_error() -> None:
    """The message says what was found and both places where a handler can be named."""
    with pytest.raises(NoHandlerError, match=r"arguments \[\] and no _HANDLER.*CMD.*_HANDLER"):
        parse_settings([], {}, working_directory="/w")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", ("127.0.0.1", 9001)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:9001", ("::1", 9001)),
        ("host.docker.internal:65535", ("host.docker.internal", 65535)),
    ],
)
def test_addresses(text, address) -> None:
    """Names, IPv4, and IPv6 in brackets are addresses."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "::1:80", "host:0", "host:65536", "h:8o", "h:\u00b2"])
def test_malformed_addresses(text) -> None:
    """Anything else is refused with the variable's name, what it holds, and an example."""
    with pytest.raises(MalformedSettingError, match=r"AWS_LAMBDA_RUNTIME_API: found .*127\.0\.0\.1:9001"):
        parse_address(text)


@pytest.mark.parametrize(
    ("execution_env", "raw"),
    [
        ("", False),
        ("AWS_Lambda_python3.11", False),
        ("AWS_Lambda_python3.12", True),
        ("AWS_Lambda_python3.15", True),
        ("AWS_Lambda_nodejs22.x", False),
        ("AWS_Lambda_python3.x", False),
    ],
)
def test_raw_utf8_begins_with_python_3_12(execution_env, raw) -> None:
    """Text stays unescaped only where the managed runtime says 3.12 or newer; images say nothing."""
    settings = parse_settings(["a.b"], {"AWS_EXECUTION_ENV": execution_env}, working_directory="/w")
    assert settings.raw_utf8 is raw


def test_the_task_root_is_the_working_directory_unless_named() -> None:
    """LAMBDA_TASK_ROOT wins; unset or empty, the function is where the process was started."""
    for environ, root in (({}, "/w"), ({"LAMBDA_TASK_ROOT": ""}, "/w"), ({"LAMBDA_TASK_ROOT": "/t"}, "/t")):
        assert parse_settings(["a.b"], environ, working_directory="/w").task_root == root


LAYER, OPT = "/opt/python/lib/python3.13/site-packages", "/opt/python"


@pytest.mark.parametrize(
    ("current", "folders", "result"),
    [
        (["/std"], [], ["/task", "/std"]),
        (["/std"], [OPT], ["/task", OPT, "/std"]),
        (["/std"], [LAYER, OPT], ["/task", LAYER, OPT, "/std"]),
        (["/task", "/path", OPT, "/std"], [OPT], ["/task", OPT, "/path", "/std"]),
    ],
)
def test_the_function_comes_first_then_layers(current, folders, result) -> None:
    """The order is task root, layers that exist, then what Python had, each entry once."""
    assert search_path(current, "/task", version=(3, 13), is_folder=folders.__contains__) == result


@pytest.mark.parametrize(
    ("value", "streams"), [("response_stream", True), ("RESPONSE_STREAM", True), ("buffered", False), ("", False)]
)
def test_web_responses_stream_only_where_it_is_said(value, streams) -> None:
    """The Lambda Web Adapter's variable and its two values, in any case."""
    settings = Settings("app.app", {"AWS_LWA_INVOKE_MODE": value}, working_directory="/w")
    assert settings.streams_web_responses is streams
