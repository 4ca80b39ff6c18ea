"""Reads many files at once, on all cores: reading is most of a first build's trimming.

The processes are `reading_worker`, one for each core but that of whoever asks, who reads what nobody has begun when it
needs it (`withdraw`). What a process does not answer is read there as well, and told when it cannot be: so this never
decides anything and reports no error.
"""

import json
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.oci.gzip_writer import usable_cores

WORTH_FILES = 24  # fewer are read before a process has begun
_WINDOW_BYTES = 192 << 10  # of source, with each process: some 40 ms of work, so that none waits for the next file
_NATIVE_SHARE = 16  # an ELF file is read so many times faster than a source
_LEAST_BYTES = 4 << 10  # a file costs something, whatever its size
_PIPE_BYTES = 1 << 20  # what unprivileged users may have: nobody waits for somebody to read
_PATIENCE_S = 120  # for one answer
_TOP = str(Path(__file__).parents[2])
# Neither `site` nor the folder that is built, which may hold a builder.py: a process begins in a third of the time.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from builder.trim.reading_worker import main; main()"


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read: its `kind` (source or native), its `path` in the image, its place here, its size in bytes."""

    kind: str
    path: str
    file: str
    size: int

    @property
    def weight(self) -> int:
        """The size of a source that takes as long."""
        return max(self.size if self.kind == "source" else self.size // _NATIVE_SHARE, _LEAST_BYTES)


@dataclass(slots=True)
class _Worker:
    """A process, what it has been given and not answered, in that order, and the beginning of its next answer."""

    process: "subprocess.Popen[bytes]"
    begun: deque[Job] = field(default_factory=deque)
    text: bytes = b""

    def tell(self, message: object) -> None:
        """Write a line. Raises OSError."""
        if self.process.stdin:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def answers(self) -> list[object] | None:
        """The answers that are there; None from a process that says no more."""
        if self.process.stdout is None or not (read := os.read(self.process.stdout.fileno(), 1 << 20)):
            return None
        *lines, self.text = (self.text + read).split(b"\n")
        return [json.loads(line) for line in lines]


@dataclass(slots=True)
class Readers:
    """The processes, begun when there is enough to read. `version` and `names` are as in `FactsStore`."""

    version: tuple[int, int]
    names: Iterable[str]
    _workers: list[_Worker] = field(default_factory=list)
    _waiting: dict[str, Job] = field(default_factory=dict)  # by path, in the order in which they are read
    _has_begun: bool = False

    def ask(self, jobs: Iterable[Job]) -> None:
        """Have files read, in that order."""
        self._waiting.update((job.path, job) for job in jobs)
        if len(self._waiting) >= WORTH_FILES:
            self.begin()
        for worker in self._workers[:]:
            self._give(worker)

    def withdraw(self, path: str = "") -> Job | None:
        """The job of the path, or any, for who asks to read it; None when a process has begun, or nothing waits."""
        return self._waiting.pop(path or next(iter(self._waiting), ""), None)

    def is_begun(self, path: str) -> bool:
        """Whether a process is at it."""
        return any(job.path == path for worker in self._workers for job in worker.begun)

    def answers(self, *, wait: bool) -> Iterator[tuple[Job, object]]:
        """What files say, in the form that `facts` renders: the answers that are there, or with `wait` the next ones.

        Nothing of what a process could not read, or did not answer before it ended.
        """
        poll = select.poll()
        busy = {worker.process.stdout.fileno(): worker for worker in self._workers if worker.process.stdout}
        for number in busy:
            poll.register(number, select.POLLIN)
        ready = poll.poll(_PATIENCE_S * 1000 if wait else 0)
        for worker in [busy[number] for number, _ in ready] or (list(busy.values()) if wait else []):
            try:
                found = worker.answers() if ready else None
            except (OSError, ValueError):
                found = None
            if found is None:
                self._end(worker)
                continue
            for answer in found:
                job = worker.begun.popleft()
                if answer is not None:
                    yield job, answer
            self._give(worker)

    def begin(self) -> None:
        """Begin the processes, unless they have been begun."""
        if self._has_begun:
            return
        self._has_begun = True
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _TOP]
        pipe = subprocess.PIPE
        with suppress(OSError):
            for _ in range(usable_cores() - 1):
                process = subprocess.Popen(
                    command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=_PIPE_BYTES
                )
                self._workers.append(_Worker(process))
                self._workers[-1].tell([self.version, sorted(self.names)])

    def _give(self, worker: _Worker) -> None:
        """Give a process as much as it reads meanwhile."""
        weight = sum(job.weight for job in worker.begun)
        try:
            while weight < _WINDOW_BYTES and (job := self.withdraw()):
                worker.begun.append(job)
                weight += job.weight
                worker.tell([job.kind, job.path, job.file])
        except OSError:
            self._end(worker)

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.kill()
        with suppress(OSError):
            worker.process.communicate()

    def close(self) -> None:
        """End the processes."""
        self._waiting.clear()
        for worker in self._workers[:]:
            self._end(worker)
