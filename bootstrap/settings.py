"""Arguments and environment → one `Settings` value and the module search path; pure, reads neither itself.

Names and meanings of the variables: AWS's "Defined runtime environment variables", and awslambdaric 4.2.2.
"""

from .errors import MalformedSettingError, NoHandlerError

TYPE_CHECKING = False  # `typing` is not loaded at start; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# awslambdaric writes non-ASCII text unescaped from the managed python3.12 on, and escapes it everywhere else.
_EXECUTION_ENV_PREFIX = "AWS_Lambda_python3."
_FIRST_RAW_UTF8_MINOR = 12

_MAX_PORT = 65535
_CONCURRENCY_DIGITS_MAX = 4  # Lambda's own limit for one environment lies far below 10,000
CONCURRENCY_MODES = ("processes", "threads", "loop")


class Settings:
    """What the process was told, read once; not changed afterwards.

    `runtime_api` is (host, port), or None when there is no platform. `task_root` is the function's folder.
    `json_logs` says whether log records are JSON, `raw_utf8` whether JSON leaves non-ASCII text unescaped.
    `streams_web_responses` says whether the callers of a web application take streams. `initialization_type` is
    `on-demand`, `provisioned-concurrency`, `snap-start`, `lambda-managed-instances` or "". `max_concurrency` is how
    many events the platform sends at once, None for one at a time, and `concurrency_mode`, one of CONCURRENCY_MODES,
    how they are served. `log_socket` is the path of the socket that workers write their output to. The `function_…`
    and `log_…` texts are what the context shows to handlers; each is None when unset. `traces` says whether to write
    down what is asked for (see `trace`).
    """

    __slots__ = (
        "concurrency_mode",
        "function_name",
        "function_version",
        "handler",
        "initialization_type",
        "json_logs",
        "log_group_name",
        "log_level",
        "log_socket",
        "log_stream_name",
        "max_concurrency",
        "memory_limit_in_mb",
        "raw_utf8",
        "runtime_api",
        "streams_web_responses",
        "task_root",
        "traces",
    )

    def __init__(self, handler: str, environ: "Mapping[str, str]", *, working_directory: str) -> None:
        address = environ.get("AWS_LAMBDA_RUNTIME_API")
        self.handler = handler
        self.runtime_api = parse_address(address) if address else None
        self.task_root = environ.get("LAMBDA_TASK_ROOT") or working_directory
        self.raw_utf8 = _writes_raw_utf8(environ.get("AWS_EXECUTION_ENV", ""))
        self.initialization_type = environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "")
        # The name and value of AWS's Lambda Web Adapter, so that a function moves over unchanged.
        self.streams_web_responses = environ.get("AWS_LWA_INVOKE_MODE", "").lower() == "response_stream"
        self.json_logs = environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self.log_level = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
        self.traces = bool(environ.get("FIRKIN_TRACE"))
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        concurrency = environ.get("AWS_LAMBDA_MAX_CONCURRENCY")
        self.max_concurrency = parse_concurrency(concurrency) if concurrency else None
        self.concurrency_mode = parse_mode(environ.get("FIRKIN_CONCURRENCY", ""))
        self.log_socket = environ.get("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET")


def parse_settings(arguments: "Sequence[str]", environ: "Mapping[str, str]", *, working_directory: str) -> Settings:
    """Return the settings; the handler is the first argument (CMD), else `_HANDLER`.

    Raises NoHandlerError or MalformedSettingError.
    """
    # Argument first: in container images `_HANDLER` may be absent or repeat the argument.
    handler = arguments[0] if arguments and arguments[0] else environ.get("_HANDLER")
    if not handler:
        raise NoHandlerError(
            f"Looking for the handler: found arguments {list(arguments)!r} and no _HANDLER. "
            'Name it as the argument (CMD ["app.handler"]) or in _HANDLER.'
        )
    return Settings(handler, environ, working_directory=working_directory)


def parse_address(text: str) -> "tuple[str, int]":
    """Split `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.

    Raises MalformedSettingError.
    """
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _MAX_PORT:
        raise MalformedSettingError(
            f"Reading AWS_LAMBDA_RUNTIME_API: found {text!r}. "
            "Give host:port, with an IPv6 address in brackets, such as 127.0.0.1:9001 or [::1]:9001."
        )
    return host, int(port)


def parse_concurrency(text: str) -> int:
    """Return how many events to serve at once. Raises MalformedSettingError."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _CONCURRENCY_DIGITS_MAX else 0
    if not number:
        raise MalformedSettingError(
            f"Reading AWS_LAMBDA_MAX_CONCURRENCY: found {text!r}. "
            f"Give a number from 1 to {'9' * _CONCURRENCY_DIGITS_MAX}, or leave it unset to serve one event at a time."
        )
    return number


def parse_mode(text: str) -> str:
    """Return how events are served at once; processes, as awslambdaric does it, unless it says otherwise.

    Raises MalformedSettingError.
    """
    mode = text or CONCURRENCY_MODES[0]
    if mode not in CONCURRENCY_MODES:
        raise MalformedSettingError(
            f"Reading FIRKIN_CONCURRENCY: found {text!r}. Give one of {', '.join(CONCURRENCY_MODES)}."
        )
    return mode


def _writes_raw_utf8(execution_env: str) -> bool:
    minor = execution_env[len(_EXECUTION_ENV_PREFIX) :]
    return (
        execution_env.startswith(_EXECUTION_ENV_PREFIX)
        and minor.isascii()
        and minor.isdigit()
        and int(minor) >= _FIRST_RAW_UTF8_MINOR
    )


def search_path(
    current: "Sequence[str]",
    task_root: str,
    *,
    version: "tuple[int, int]",
    is_folder: "Callable[[str], bool]",
) -> "list[str]":
    """Return `sys.path` for the function: its folder, the layers under /opt that exist, then `current`.

    The order is that of AWS's images, so that a function's own file wins over a layer's and both over the
    standard library. An entry that moved to the front is not repeated.
    """
    layers = (f"/opt/python/lib/python{version[0]}.{version[1]}/site-packages", "/opt/python")
    front = [task_root, *(folder for folder in layers if is_folder(folder))]
    return front + [entry for entry in current if entry not in front]
