"""What is told of transfers while they go on: one small value after another, for whoever shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from builder.oci.descriptor import Descriptor


class State(Enum):
    """What has become of a blob."""

    MOVING = "moving"
    DONE = "done"
    PRESENT = "present"  # it was there already
    MOUNTED = "mounted"  # taken from another repository of the registry


@dataclass(frozen=True, slots=True)
class Transfer:
    """A blob on its way: `moved` of the descriptor's `size` bytes are there."""

    descriptor: Descriptor
    state: State
    moved: int


Progress = Callable[[Transfer], None]


def nobody(transfer: Transfer) -> None:
    """Show it to nobody."""
    del transfer
