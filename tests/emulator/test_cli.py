"""Arguments to settings."""

from __future__ import annotations

import pytest

from emulator.addresses import find_bootstrap
from emulator.asynchronous import EventOptions
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


def test_the_platforms_port_is_the_last_resort() -> None:
    """Whoever names a port is not asked what PORT means here."""
    assert parse_arguments(["--", "x"], {"PORT": "9"}).port == 9
    assert parse_arguments(["--", "x"], {"PORT": ""}).port == 8080
    assert parse_arguments(["--port=7", "--", "x"], {"PORT": "tcp://10.0.0.1:80"}).port == 7
    assert parse_arguments(["--", "x"], {"PORT": "no port", "EMULATOR_PORT": "6"}).port == 6
    assert parse_arguments(["--runtime-interface-emulator-address", ":5", "x"], {"PORT": "no port"}).port == 5


@pytest.mark.parametrize(
    ("argv", "variables", "found"),
    [
        ([], {}, "no runtime to start"),
        (["--prot", "1", "--", "x"], {}, "unrecognized arguments: --prot 1"),
        (["--concurrency", "0", "--", "x"], {}, "concurrency: found 0"),
        (["--retries", "3", "--", "x"], {}, "--retries: found 3"),
        (["--max-event-age", "-1", "--", "x"], {}, "--max-event-age: found '-1'; give seconds, 0 or more"),
        (["--retry-delay-scale", "nan", "--", "x"], {}, "--retry-delay-scale: found nan"),
        (["--runtime-interface-emulator-address", "8080", "x"], {}, "found '8080'; give HOST:PORT"),
        (["--runtime-interface-emulator-address", "::1:80", "x"], {}, "found '::1:80'; give HOST:PORT"),
        (["--runtime-interface-emulator-address", "a:99999", "x"], {}, "found 99999"),
        (["--runtime-api-address", "0.0.0.0:9001", "x"], {}, "whoever reaches the Runtime API"),
        (["--runtime-api-address", ":9001", "x"], {}, "whoever reaches the Runtime API"),
        (["--", "x"], {"AWS_LAMBDA_MAX_CONCURRENCY": "many"}, "AWS_LAMBDA_MAX_CONCURRENCY: found 'many'"),
        (["--port", "x", "--", "x"], {}, "argument --port: found 'x'; give a whole number (see --help)"),
        (["--", "x"], {"EMULATOR_PORT": "x"}, "reading EMULATOR_PORT: found 'x'; give a whole number"),
        (["--", "x"], {"PORT": "x"}, "reading PORT: found 'x'; give a whole number"),
        (["--", "x"], {"EMULATOR_MEMORY_LIMIT": "hard"}, "reading EMULATOR_MEMORY_LIMIT: invalid choice: 'hard'"),
        (["--", "x"], {"EMULATOR_CONCURENCY": "4"}, "there is no such option; is EMULATOR_CONCURRENCY meant?"),
        (["--concurency", "4", "--", "x"], {}, "--concurency 4; is --concurrency meant?"),
        (["--keep-alive", "nan", "--", "x"], {}, "--keep-alive: found 'nan'; give seconds, 0 or more"),
        (["--queue-timeout", "soon", "--", "x"], {}, "--queue-timeout: found 'soon'; give seconds, 0 or more"),
        (["--shutdown-timeout", "-1", "--", "x"], {}, "--shutdown-timeout: found '-1'; give seconds, 0 or more"),
        (["--host", "", "--", "x"], {}, "--host: found ''; give an address of this machine"),
        (["--extensions", "/no/such", "--", "x"], {}, "--extensions: found '/no/such'; give a folder that is there"),
        (["--on-failure", "ftp://a", "--", "x"], {}, "--on-failure: found 'ftp://a'; give a file, or a URL of http://"),
        (["--on-failure", "/no/such/f", "--", "x"], {}, "there is no folder '/no/such': make it first"),
        (["--port", "65536", "--", "x"], {}, "65536"),
        (["--port", "-1", "--", "x"], {}, "-1"),
        (["--timeout", "soon", "--", "x"], {}, "--timeout: found 'soon'; give seconds, e.g. 30"),
        (["--timeout", "0", "--", "x"], {}, "timeout: found 0.0"),
        (["--timeout", "901", "--", "x"], {}, "timeout: found 901.0"),
        (["--timeout", "nan", "--", "x"], {}, "--timeout: found 'nan'"),
        (["--memory", "0", "--", "x"], {}, "memory size: found 0"),
        (["--memory", "inf", "--", "x"], {}, "--memory: found 'inf'; give MB, e.g. 512"),
        (["--", "x"], {"AWS_LAMBDA_FUNCTION_TIMEOUT": "3s"}, "AWS_LAMBDA_FUNCTION_TIMEOUT: found '3s'"),
        (["--", ""], {}, "command: found ['']"),
    ],
)
def test_what_cannot_be_right(argv: list[str], variables: dict[str, str], found: str) -> None:
    """The message says what was read and what was found."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv, variables)
    assert found in str(caught.value)


def test_it_is_called_like_awss_emulator() -> None:
    """With its options, and the command behind them without `--`; the command's own options are its own."""
    arguments = parse_arguments(
        [
            *("--log-level", "error", "--enable-init-caching"),
            *("--runtime-interface-emulator-address", "[::1]:9000", "--runtime-api-address=127.0.0.1:9001"),
            *("python", "-m", "awslambdaric", "--port", "1", "--", "app.handler"),
        ],
        {},
    )
    assert (arguments.host, arguments.port) == ("::1", 9000)
    assert arguments.settings.runtime_api == ("127.0.0.1", 9001)
    assert arguments.settings.command == ["python", "-m", "awslambdaric", "--port", "1", "--", "app.handler"]


def test_the_runtime_is_found_where_awss_emulator_finds_it() -> None:
    """Without a command: in the function, in a layer, in the image."""
    assert find_bootstrap(lambda path, _: path.startswith("/opt")) == ["/opt/bootstrap"]
    assert find_bootstrap(lambda *_: True) == ["/var/task/bootstrap"]
    assert find_bootstrap(lambda *_: False) == []


def test_memory_that_was_asked_for_is_a_limit() -> None:
    """The default is only reported, and nothing is limited if so asked."""
    assert not parse_arguments(["x"], {}).settings.limits_memory
    assert parse_arguments(["--memory", "256", "x"], {}).settings.limits_memory
    assert parse_arguments(["x"], {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}).settings.limits_memory
    assert not parse_arguments(["--memory", "256", "--memory-limit", "none", "x"], {}).settings.limits_memory


def test_options_of_events() -> None:
    """They arrive as they were given, by flag or by variable."""
    flags = ["--retries", "1", "--max-event-age", "5", "--retry-delay-scale", "0.01", "--on-failure", "f"]
    assert parse_arguments([*flags, "x"], {}).events == EventOptions(1, 5.0, 0.01, "f")
    assert parse_arguments(["x"], {"EMULATOR_ON_FAILURE": "f"}).events.on_failure == "f"
