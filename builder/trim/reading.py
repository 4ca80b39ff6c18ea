"""Reads many files at once, in as many processes as there are cores: reading is most of a first build's trimming.

The processes are `reading_worker`. What they do not answer is read by whoever needs it, who tells what is wrong: so
this never decides anything and reports no error.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from builder.oci.gzip_writer import usable_cores

WORTH_FILES = 24  # fewer are read before a process has begun


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read: its `kind` (source or native), its `path` in the image, its place here, its size in bytes."""

    kind: str
    path: str
    file: str
    size: int


@dataclass(slots=True)
class Readers:
    """The processes, begun when there is enough to read. `version` and `names` are as in `FactsStore`."""

    version: tuple[int, int]
    names: Iterable[str]
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _greeting: bytes = b""  # what the processes have yet to be told

    def read(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, object]]:
        """Read files, the largest first: what each says, in the form that `facts` renders."""
        waiting = sorted(jobs, key=lambda job: job.size)  # taken from the end
        if len(waiting) < (2 if self._processes else WORTH_FILES) or not self._begun():
            return
        with ThreadPoolExecutor(len(self._processes), "reading") as pool:
            told = [pool.submit(_drive, process, waiting, self._greeting) for process in self._processes]
        self._greeting = b""
        for one in told:
            yield from one.result()

    def _begun(self) -> bool:
        """Whether there are processes, begun now if there were none."""
        if self._processes or usable_cores() == 1:
            return bool(self._processes)
        self._greeting = json.dumps([self.version, sorted(self.names)]).encode() + b"\n"
        # -P: the folder that is built may hold a builder.py
        command = [sys.executable, "-P", "-m", "builder.trim.reading_worker"]
        with suppress(OSError):
            for _ in range(usable_cores()):
                self._processes.append(
                    subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                )
        return bool(self._processes)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            with suppress(OSError):
                process.communicate()
        self._processes.clear()


def _drive(process: "subprocess.Popen[bytes]", waiting: list[Job], greeting: bytes) -> list[tuple[Job, object]]:
    """Give one process file after file, as long as there are any and it answers."""
    answers: list[tuple[Job, object]] = []
    if process.stdin is None or process.stdout is None:
        return answers
    with suppress(OSError, ValueError, IndexError):
        process.stdin.write(greeting)
        while True:
            job = waiting.pop()
            process.stdin.write(json.dumps([job.kind, job.path, job.file]).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            if answer is not None:
                answers.append((job, answer))
    return answers
