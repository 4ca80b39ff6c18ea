"""Blobs on their way from or to a registry, shown: bars on a terminal, else one line for each that is done.

The counterpart of the client's `Progress`. Never decides anything.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.console import megabytes
from builder.oci.distribution import Progress, State, Transfer

if TYPE_CHECKING:
    from rich.progress import TaskID

    from builder.oci import Digest

_SHORT_CHARS = 12  # of a digest, as Docker shows it


def lines(verb: str, say: Callable[[str], None]) -> Progress:
    """What says one line for each blob that is done; one that was there already is not worth a line."""

    def show(transfer: Transfer) -> None:
        if transfer.state in {State.DONE, State.MOUNTED}:
            how = "" if transfer.state is State.DONE else ", mounted from another repository"
            say(f"{verb} {_name(transfer)}: {megabytes(transfer.descriptor.size)}{how}")

    return show


@contextmanager
def bars(verb: str) -> Iterator[Progress]:
    """What draws a bar for each blob that moves."""
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Terminal(stderr=True)) as drawn:
        tasks: dict[Digest, TaskID] = {}

        def show(transfer: Transfer) -> None:
            digest = transfer.descriptor.digest
            if digest not in tasks:
                if transfer.state is State.PRESENT:
                    return
                tasks[digest] = drawn.add_task(f"{verb} {_name(transfer)}", total=transfer.descriptor.size)
            drawn.update(tasks[digest], completed=transfer.moved)

        yield show


def _name(transfer: Transfer) -> str:
    return transfer.descriptor.digest.encoded[:_SHORT_CHARS]
