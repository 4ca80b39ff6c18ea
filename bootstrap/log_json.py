"""Log records of `logging` as JSON, for AWS_LAMBDA_LOG_FORMAT=JSON; loaded with the first logger of such a function.

Fields and their order are awslambdaric's, but for the timestamp, which has milliseconds. Never writes anything.
"""

import json
import logging
import traceback

from .logs import render_timestamp

# What every record has; anything else in it came through `extra` and is shown. So is the name of an asyncio task.
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) - {"taskName"} | {"aws_request_id", "tenant_id"}
# default=str: one value that JSON does not know must not cost the record.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class JsonFormatter(logging.Formatter):
    """One JSON object and a line end for each record; fields without a value are left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; a message that is a dict stays one."""
        # A level between two of the standard ones counts as the lower, in the record too: frames go by it.
        record.levelno = min(max(record.levelno, logging.NOTSET), logging.CRITICAL) // 10 * 10
        record.levelname = logging.getLevelName(record.levelno)
        fields: dict[str, object] = {
            "timestamp": render_timestamp(record.created),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            **_exception_fields(record),
            "requestId": getattr(record, "aws_request_id", None),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if record.exc_info else None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        for name, value in record.__dict__.items():
            if name not in _OWN_FIELDS:
                fields.setdefault(name, value)
        return _encode({name: value for name, value in fields.items() if value is not None}) + "\n"


def _exception_fields(record: logging.LogRecord) -> "dict[str, object]":
    kind, error, trace = record.exc_info or (None, None, None)
    return {
        "stackTrace": traceback.format_tb(trace) if trace is not None else None,
        "errorType": kind.__name__ if kind is not None else None,
        "errorMessage": str(error) if error is not None else None,
    }
