"""What each worker is at, in memory that its parent shares: who died with which event; never read by workers.

A worker that is killed cannot say what it was doing, and its invoker would wait for the time-out. Writing it into
shared memory costs no system call.
"""

import mmap

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .invocation import Invocation

# One record: a byte for the worker's stage, two for a length, then request id, line end and invocation id in UTF-8.
_RECORD_BYTES = 2048
_HEAD_BYTES = 3
STARTING, LOADED, REPORTED = 0, 1, 2


class Record:
    """One event at a time that a worker can serve: its stage, and the invocation in progress."""

    __slots__ = ("_memory", "_start")

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        self._memory = memory
        self._start = number * _RECORD_BYTES

    @property
    def stage(self) -> int:
        """STARTING, LOADED with the handler there, or REPORTED when the platform knows why it is not."""
        return self._memory[self._start]

    @stage.setter
    def stage(self, value: int) -> None:
        self._memory[self._start] = value

    def begin(self, invocation: "Invocation") -> None:
        """Note an invocation; one whose ids are longer than any that is known is not noted."""
        text = f"{invocation.request_id}\n{invocation.invocation_id}".encode("utf-8", "surrogateescape")
        if len(text) > _RECORD_BYTES - _HEAD_BYTES:
            return
        begin = self._start + _HEAD_BYTES
        self._memory[begin : begin + len(text)] = text
        self._set_length(len(text))  # last: a reader sees all or nothing

    def end(self) -> None:
        """Forget the invocation: it is answered."""
        self._set_length(0)

    def invocation(self) -> "tuple[str, str] | None":
        """Return the request id and the invocation id ("" if there is none) in progress."""
        begin = self._start + _HEAD_BYTES
        length = int.from_bytes(self._memory[begin - 2 : begin], "big")
        if not length:
            return None
        request_id, _, invocation_id = (
            self._memory[begin : begin + length].decode("utf-8", "surrogateescape").partition("\n")
        )
        return request_id, invocation_id

    def clear(self) -> None:
        """Make ready for the next worker."""
        self.stage = STARTING
        self.end()

    def _set_length(self, length: int) -> None:
        begin = self._start + 1
        self._memory[begin : begin + 2] = length.to_bytes(2, "big")


def make_records(count: int) -> "list[Record]":
    """Return that many records in memory that processes forked from now on share."""
    memory = mmap.mmap(-1, count * _RECORD_BYTES)
    return [Record(memory, number) for number in range(count)]
