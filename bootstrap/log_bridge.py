"""The platform's handler on the root logger, in the text format; loaded after `logging`, never before.

Format and behaviour are awslambdaric's: `[LEVEL]<tab>time<tab>request id<tab>message`, in UTC, to whatever
`sys.stdout` is at that moment.
"""

import logging
import sys
import time

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .logs import LogState

_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


class LambdaLoggerHandler(logging.Handler):
    """Writes records to standard output. The class name is awslambdaric's: libraries look for it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; what goes wrong is `logging`'s to report, as in its own handlers."""
        try:
            sys.stdout.write(self.format(record))
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
    handler = LambdaLoggerHandler()
    handler.setFormatter(logging.Formatter(_FORMAT, _TIME_FORMAT))
    handler.addFilter(LambdaLoggerFilter(state))
    root = logging.getLogger()
    root.addHandler(handler)
    level = logging.getLevelName(_STANDARD_NAME.get(state.level, state.level))
    if isinstance(level, int):
        root.setLevel(level)


_STANDARD_NAME = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}  # Lambda's level names that `logging` lacks
