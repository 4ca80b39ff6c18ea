"""What belongs to one invocation where one process serves many at once: kept in context variables, never in globals.

The request id and the tenant of a log record, and `_X_AMZN_TRACE_ID`, are those of the invocation whose code asks:
in its thread, in its tasks, in what `asyncio.to_thread` runs. A thread that the function starts itself knows none,
unless it is given a copy of the context; it never sees another invocation's.
"""

import os
from contextvars import ContextVar, copy_context

from .logs import LogState

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .invocation import Invocation

_TRACE_ID = "_X_AMZN_TRACE_ID"
_request_id: "ContextVar[str]" = ContextVar("aws_request_id", default="")
_tenant_id: "ContextVar[str | None]" = ContextVar("tenant_id", default=None)
_trace_id: "ContextVar[str | None]" = ContextVar(_TRACE_ID, default=None)


class ContextLogState(LogState):
    """A LogState whose ids are those of the invocation that asks."""

    __slots__ = ()

    serves_many = True

    @property
    def request_id(self) -> str:
        """The request id, "" outside of invocations."""
        return _request_id.get()

    @request_id.setter
    def request_id(self, value: str) -> None:
        _request_id.set(value)

    @property
    def tenant_id(self) -> "str | None":
        """The tenant id."""
        return _tenant_id.get()

    @tenant_id.setter
    def tenant_id(self, value: "str | None") -> None:
        _tenant_id.set(value)


class _Environ(os._Environ):  # type: ignore[type-arg]  # noqa: SLF001  there is no public name for it
    """`os.environ`, in which one variable is the invocation's; everybody reads it there."""

    def __getitem__(self, key: str) -> str:
        if key != _TRACE_ID:
            found: str = super().__getitem__(key)
            return found
        value = _trace_id.get()
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: str) -> None:
        if key == _TRACE_ID:
            _trace_id.set(value)
        else:
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if key != _TRACE_ID:
            super().__delitem__(key)
        elif _trace_id.get() is None:
            raise KeyError(key)
        else:
            _trace_id.set(None)

    def __iter__(self) -> "Iterator[str]":
        yield from super().__iter__()
        if _trace_id.get() is not None:
            yield _TRACE_ID

    def __len__(self) -> int:
        return super().__len__() + (_trace_id.get() is not None)


def isolate_environment() -> None:
    """Make `_X_AMZN_TRACE_ID` in `os.environ` the invocation's; the process's own has none from now on."""
    os.environ.pop(_TRACE_ID, None)
    os.environ.__class__ = _Environ  # the object stays: others have it by name already


def set_trace_id(trace_id: "str | None") -> None:
    """Set the trace id of this invocation."""
    _trace_id.set(trace_id)


def isolate(function: "Callable[[Invocation], None]", invocation: "Invocation") -> None:
    """Call `function` so that context variables it sets are gone afterwards, the function's own among them."""
    copy_context().run(function, invocation)
