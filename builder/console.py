"""What people see: lines while it works, tables at the end, all on stderr; stdout is for the result alone.

On a terminal the step at work is shown with a spinner and tables are drawn by rich; in GitHub Actions the lines of a
step are folded into a group and warnings become annotations; elsewhere there are plain lines. Never decides anything.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

    from builder.oci.distribution import Progress


@dataclass(slots=True)
class Console:
    """Where messages go. `quiet` keeps only warnings and errors, `verbose` adds the reasons.

    `github` writes the workflow commands that GitHub Actions reads.
    """

    quiet: bool = False
    verbose: bool = False
    github: bool = False
    timings: list[tuple[str, float]] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)
    _waiting: str = ""  # the name of a group that has no line yet
    _open: bool = False
    _status: "Status | None" = None  # the spinner of the step at work
    _step: str = ""  # and its name

    def say(self, text: str) -> None:
        """A line about progress."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """A line that is shown with -v only."""
        if self.verbose:
            self._line(f"  {text}")

    def warn(self, text: str) -> None:
        """A line about the result that is always shown, once."""
        if text not in self.warned:
            self.warned.add(text)
            self.mention(text)

    def mention(self, text: str) -> None:
        """A line about this run that is always shown, such as of a cache that had to heal."""
        complain(render_annotation("warning", text) if self.github else f"warning: {text}")

    def at_event(self, number: int, total: int) -> None:
        """Which sample event is at work, from 1: beside the spinner of the step, else a detail."""
        if self._status is not None:
            self._status.update(f"{self._step}: event {number} of {total} …")
        else:
            self.detail(f"event {number} of {total}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step of the build, and show it while it runs when somebody watches."""
        started = time.monotonic()
        with self._spinner(name), self._group(name):
            yield
        self.timings.append((name, time.monotonic() - started))

    @contextmanager
    def _group(self, name: str) -> Iterator[None]:
        """Fold the lines of the block, if there are any, where GitHub Actions shows them."""
        self._waiting = name if self.github else ""
        try:
            yield
        finally:
            if self._open:
                complain("::endgroup::")
            self._waiting, self._open = "", False

    @contextmanager
    def _spinner(self, name: str) -> Iterator[None]:
        if self.quiet or not _is_watched():
            yield
            return
        from rich.console import Console as Terminal

        with Terminal(stderr=True).status(f"{name} …") as status:
            self._status, self._step = status, name
            try:
                yield
            finally:
                self._status = None

    @contextmanager
    def _without_spinner(self) -> Iterator[None]:
        """Two that draw at the same place would draw over each other."""
        status = self._status
        if status is None:
            yield
            return
        status.stop()
        try:
            yield
        finally:
            status.start()

    @contextmanager
    def transfers(self, verb: str) -> Iterator["Progress"]:
        """Show blobs on their way, as bars where somebody watches, else a line for each that is done.

        Gives what to call with a `Transfer`; `verb` is `fetch` or `push`.
        """
        from builder.transfers import bars, lines

        if self.quiet:
            yield lambda _: None
        elif _is_watched():
            with self._without_spinner(), bars(verb) as show:
                yield show
        else:
            yield lines(verb, self.say)

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table whose first column is text and whose others are figures."""
        if self.quiet:
            return
        if _is_watched():
            _draw(title, head, rows)
            return
        for line in plain_table(head, rows):
            self._line(line)

    def _line(self, text: str) -> None:
        if self._waiting:
            complain(f"::group::{self._waiting}")
            self._waiting, self._open = "", True
        complain(text)


def render_annotation(level: str, text: str) -> str:
    """A message as GitHub Actions' workflow command, shown on the run's page; `level` is "warning" or "error".

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands.
    """
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title=build-image::{escaped}"


def complain(text: str) -> None:
    """Write lines to stderr; nowhere when it is closed, where `print` would take stdout instead."""
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _is_watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _draw(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console as Terminal
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    Terminal(stderr=True).print(table)


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in plain text, columns aligned."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first = row[0].ljust(widths[0])
        return "  ".join(
            [first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()

    return [line(row) for row in (head, *rows)]


def megabytes(size: int) -> str:
    """A size in MB of 1,000,000 bytes, as registries and AWS's console count."""
    return f"{size / 1e6:.2f} MB"


def seconds(value: float) -> str:
    """A duration in seconds."""
    return f"{value:.2f} s"
