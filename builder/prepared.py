"""All that is known before the first byte is packed, as a value: what `prepare` gives, and an image is made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.bases import Choice as CompilerChoice
from builder.config import Config
from builder.interpreter import Interpreter
from builder.outputs import Output
from builder.plan import Plan
from builder.project import Event

if TYPE_CHECKING:
    from builder.bases.observe import Base
    from builder.layer_writer import AssembledLayer


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything known before the first byte is packed."""

    config: Config
    reference: str
    outputs: tuple[Output, ...]
    interpreter: Interpreter
    plan: Plan
    events: tuple[Event, ...]
    compiler: CompilerChoice
    indexes: tuple[Output, ...]  # what becomes an index of several images
    base: "Base | None" = None
    whole: Plan | None = None  # the plan before trimming by what is reached
    below: "tuple[AssembledLayer, ...]" = ()  # layers that are in the cache, and not in the plan
