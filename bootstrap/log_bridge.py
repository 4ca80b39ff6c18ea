"""The platform's handler on the root logger; loaded after `logging`, never before.

Formats and behaviour are awslambdaric's: `[LEVEL]<tab>time<tab>request id<tab>message` in UTC, or JSON (see
`log_json`), to whatever `sys.stdout` is at that moment, or framed to the platform's descriptor.
"""

import logging
import sys
import time

from .logs import write_record

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .logs import LogState

_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


class LambdaLoggerHandler(logging.Handler):
    """Writes records to the log. The class name is awslambdaric's: libraries look for it."""

    def __init__(self, state: "LogState") -> None:
        super().__init__()
        self._state = state

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; what goes wrong is `logging`'s to report, as in its own handlers."""
        state = self._state
        try:
            text = self.format(record)
            if state.frames_fd is None:
                sys.stdout.write(text)
            else:  # with its level only where levels are in use, as awslambdaric does it
                write_record(state, text, level=record.levelno if state.json or state.level else 0)
        except Exception:  # noqa: BLE001  the contract of logging.Handler.emit
            self.handleError(record)


class LambdaLoggerFilter(logging.Filter):
    """Adds `aws_request_id` and `tenant_id` to every record, also for formatters of the function's own."""

    def __init__(self, state: "LogState") -> None:
        super().__init__()
        self._state = state

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        record.aws_request_id = self._state.request_id
        record.tenant_id = self._state.tenant_id
        return True


def install_handler(state: "LogState") -> None:
    """Put the handler on the root logger, and set its level if the platform names one."""
    # For all formatters, as in awslambdaric: a function's own `%(asctime)s` is in UTC too.
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler(state)
    if state.json:
        from .log_json import JsonFormatter  # noqa: PLC0415  `json` is not for those who log text

        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_FORMAT, _TIME_FORMAT))
    handler.addFilter(LambdaLoggerFilter(state))
    root = logging.getLogger()
    root.addHandler(handler)
    level = logging.getLevelName(_STANDARD_NAME.get(state.level, state.level))
    if isinstance(level, int):
        root.setLevel(level)


_STANDARD_NAME = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}  # Lambda's level names that `logging` lacks
