"""Arguments to settings."""

from __future__ import annotations

import pytest

from emulator.cli import parse_arguments
from emulator.errors import UsageError


def test_defaults() -> None:
    """Loopback, RIE's port, Lambda's timeout and memory."""
    arguments = parse_arguments(["--", "python", "-m", "x", "--port", "1"], {"A": "b"})
    assert arguments.settings.command == ["python", "-m", "x", "--port", "1"]
    assert arguments.settings.environment == {"A": "b"}
    assert (arguments.host, arguments.port) == ("127.0.0.1", 8080)
    assert (arguments.settings.timeout_s, arguments.settings.memory_mb) == (3.0, 128)


def test_flags_before_environment() -> None:
    """A flag wins over a variable, a variable over the default; an empty variable is none."""
    variables = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "7", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    settings = parse_arguments(["--", "x"], variables).settings
    assert (settings.timeout_s, settings.memory_mb) == (7.0, 512)
    settings = parse_arguments(["--timeout", "1.5", "--memory", "256", "--", "x"], variables).settings
    assert (settings.timeout_s, settings.memory_mb) == (1.5, 256)
    assert parse_arguments(["--", "x"], {"AWS_LAMBDA_FUNCTION_TIMEOUT": ""}).settings.timeout_s == 3.0


@pytest.mark.parametrize(
    ("argv", "variables", "found"),
    [
        ([], {}, "no runtime to start"),
        (["python"], {}, "unrecognized arguments: python"),
        (["--port", "x", "--", "x"], {}, "invalid int value: 'x'"),
        (["--port", "65536", "--", "x"], {}, "65536"),
        (["--port", "-1", "--", "x"], {}, "-1"),
        (["--timeout", "soon", "--", "x"], {}, "--timeout: found 'soon'"),
        (["--timeout", "0", "--", "x"], {}, "timeout: found 0.0"),
        (["--timeout", "901", "--", "x"], {}, "timeout: found 901.0"),
        (["--timeout", "nan", "--", "x"], {}, "--timeout: found 'nan'"),
        (["--memory", "0", "--", "x"], {}, "memory size: found 0"),
        (["--memory", "inf", "--", "x"], {}, "--memory: found 'inf'"),
        (["--", "x"], {"AWS_LAMBDA_FUNCTION_TIMEOUT": "3s"}, "AWS_LAMBDA_FUNCTION_TIMEOUT: found '3s'"),
        (["--", ""], {}, "command: found ['']"),
    ],
)
def test_what_cannot_be_right(argv: list[str], variables: dict[str, str], found: str) -> None:
    """The message says what was read and what was found."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv, variables)
    assert found in str(caught.value)
