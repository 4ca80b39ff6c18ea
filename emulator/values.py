"""The values that travel between the parts: what is run, what is asked, what came out.

They hold no behaviour beyond checking themselves and never touch the world.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from . import limits
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Union

    Extensions = Union[str, Mapping[str, Sequence[str]], None]

FUNCTION_NAME = "test_function"
FUNCTION_VERSION = "$LATEST"


@dataclass(frozen=True)
class Settings:
    """What to run and under which limits.

    `command` is the runtime's program and its arguments, e.g. `["python", "-m", "awslambdaric", "app.handler"]`.
    `environment` is the complete environment of the runtime, to which `variables.runtime_environment` adds what the
    platform sets; nothing is inherited from the emulator's own process. `cwd` is the runtime's working directory,
    ours when None. `timeout_s` and `memory_mb` are the function's; memory is applied if
    `limits_memory`, else it is only reported. `concurrency`
    environments are started at most, and stopped when they have idled for `keep_alive_s`; an invocation waits up to
    `queue_timeout_s` for one, with `queue_limit` others. `runtime_api` is where the first environment's Runtime API
    listens. The files of the folder `extensions`, or the commands that it holds by name, are started before each
    runtime. The end of an environment may take
    `shutdown_s`, None for as long as on the platform (`shutdown`).

    Raises `UsageError` for values that cannot be right.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    timeout_s: float = limits.TIMEOUT_S
    memory_mb: int = limits.MEMORY_MB
    limits_memory: bool = False
    init_limit_s: float = limits.INIT_LIMIT_S
    concurrency: int = 1
    keep_alive_s: float = limits.KEEP_ALIVE_S
    queue_timeout_s: float = limits.QUEUE_TIMEOUT_S
    queue_limit: int = limits.QUEUE_LIMIT
    runtime_api: tuple[str, int] = ("127.0.0.1", 0)
    extensions: Extensions = None
    shutdown_s: float | None = None
    log_limit_bytes: int = limits.LOG_LIMIT_BYTES

    @cached_property
    def name(self) -> str:
        """The function's name."""
        return self.environment.get("AWS_LAMBDA_FUNCTION_NAME") or FUNCTION_NAME

    @cached_property
    def version(self) -> str:
        """The function's version."""
        return self.environment.get("AWS_LAMBDA_FUNCTION_VERSION") or FUNCTION_VERSION

    @cached_property
    def logs_json(self) -> bool:
        """Whether the platform's log lines are JSON."""
        return self.environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"

    @cached_property
    def max_concurrency(self) -> int | None:
        """How many invocations an environment holds at a time, as on managed instances; None for one, as elsewhere."""
        text = self.environment.get("AWS_LAMBDA_MAX_CONCURRENCY", "")
        return int(text) if text else None

    def __post_init__(self) -> None:
        if isinstance(self.command, str) or not self.command or not self.command[0]:
            raise UsageError(
                f"reading the runtime's command: found {self.command!r}; give a program and its arguments as a list, "
                'e.g. ["python", "-m", "awslambdaric", "app.handler"]'
            )
        if not 0 < self.timeout_s <= limits.TIMEOUT_LIMIT_S:
            raise UsageError(
                f"reading the function's timeout: found {self.timeout_s!r}; give seconds above 0 and up to "
                f"{limits.TIMEOUT_LIMIT_S:.0f}"
            )
        if not 0 < self.memory_mb <= limits.MEMORY_LIMIT_MB:
            raise UsageError(
                f"reading the function's memory size: found {self.memory_mb!r}; "
                f"give MB from 1 to {limits.MEMORY_LIMIT_MB}"
            )
        if not 0 < self.concurrency <= limits.CONCURRENCY_LIMIT:
            raise UsageError(
                f"reading the concurrency: found {self.concurrency!r}; "
                f"give a number of environments from 1 to {limits.CONCURRENCY_LIMIT}"
            )
        text = self.environment.get("AWS_LAMBDA_MAX_CONCURRENCY", "")
        if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= limits.CONCURRENCY_LIMIT):
            raise UsageError(
                f"reading AWS_LAMBDA_MAX_CONCURRENCY: found {text!r}; "
                f"give the number of invocations an environment holds, from 1 to {limits.CONCURRENCY_LIMIT}"
            )
        for name, value in (
            ("init_limit_s", self.init_limit_s),
            ("keep_alive_s", self.keep_alive_s),
            ("queue_timeout_s", self.queue_timeout_s),
            ("queue_limit", self.queue_limit),
            ("shutdown_s", self.shutdown_s or 0),
            ("log_limit_bytes", self.log_limit_bytes),
        ):
            if value < 0:
                raise UsageError(f"reading {name}: found {value!r}; give a number that is not negative")


class Submission(NamedTuple):
    """What a caller asks for. None: not given; a trace id and a request id are then made up."""

    event: bytes
    client_context: str | None = None
    trace_id: str | None = None
    tenant_id: str | None = None
    request_id: str | None = None
    content_type: str = "application/json"


class Invocation(NamedTuple):
    """One event on its way to the runtime. Header values are single lines; None means the header is not sent.

    `streams` tells that the caller takes an answer in pieces.
    """

    request_id: str
    event: bytes
    function_arn: str
    content_type: str = "application/json"
    trace_id: str | None = None
    client_context: str | None = None
    tenant_id: str | None = None
    streams: bool = False


class Answer(NamedTuple):
    """What a runtime posted for an invocation; `error_type` is None for a response, else the type of its error."""

    body: bytes
    content_type: str = "application/json"
    error_type: str | None = None


class Result(NamedTuple):
    """How an invocation ended, as the life cycle sees it: before memory and log are added to make an `Outcome`."""

    invocation: Invocation
    status: int
    answer: Answer
    function_error: str | None
    report_status: str | None
    duration_s: float
    init_s: float | None


class Outcome(NamedTuple):
    """What came of an invocation.

    `status` is the HTTP status of the Invoke API: 200, or 502 when the runtime could not be started or died.
    `function_error` is None when the function answered, else `"Unhandled"` (the `X-Amz-Function-Error` header).
    `payload` is the function's response, or its error as JSON, or the sentence about the timeout. `log` is the end of
    what the runtime wrote since the invocation before, init included, `Settings.log_limit_bytes` at most. `report`
    holds the START line and the END and REPORT lines. `init_ms` is set on the first invocation of an environment that
    initialised before it, as in the platform's REPORT. `max_memory_mb` is the high-water mark of the runtime's
    process tree, 0 where the system does not tell. `streamed` tells that the answer went to the invocation's sink in
    pieces: then the payload is empty, or the error that ended it.
    """

    payload: bytes
    status: int
    function_error: str | None
    log: bytes
    duration_ms: float
    init_ms: float | None
    max_memory_mb: int
    request_id: str
    content_type: str = "application/json"
    streamed: bool = False
    report: tuple[bytes, bytes] = (b"", b"")
