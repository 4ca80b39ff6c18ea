"""Which Python compiles the bytecode for a base, and how it is run. Decides by version and architecture.

1. the base's own, in the sandbox that proofs use, when this machine runs programs of its architecture
2. for another architecture: a Python of exactly the same version on this machine; bytecode does not depend on the
   architecture
3. the base's own, through an emulator that the kernel knows
4. a Python here of the same bytecode format: its bytecode works, but another machine may make other bytes
5. none: the image is without bytecode, and says so
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.bytecode import Compiler
from builder.cache import Cache
from builder.errors import InterpreterError
from builder.interpreter import Interpreter, observe_interpreter

WITHOUT = (
    "the image is without bytecode, which every cold start will miss: nothing here runs {target}, and there is no "
    "Python {version}; install qemu-user-static or that Python"
)
OTHER = (
    "the bytecode is compiled by this machine's Python {other} for {version}: another machine may make another digest; "
    "install qemu-user-static to compile with the base's own"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who compiles: an interpreter of this machine, the base's own (`host` is None), or nobody.

    `warning` says what of that is worth knowing.
    """

    host: Interpreter | None
    possible: bool = True
    warning: str = ""

    @property
    def identity(self) -> str:
        """What the bytes of the bytecode depend on."""
        return f"{self.host.full_version} {self.host.magic}" if self.host else f"own {self.possible}"


def choose_compiler(target: Interpreter) -> Choice:
    """Who compiles for this interpreter. Looks for Pythons on this machine, and runs them to ask."""
    if not target.of_base:
        return Choice(target)
    from builder.prove import NATIVE, runner_of

    runner = runner_of(target.architecture)
    if runner == NATIVE:
        return Choice(None)
    same = _here(target.full_version, target)
    if same is not None:
        return Choice(same)
    if runner is not None:
        return Choice(None)
    other = _here(target.name.removeprefix("python"), target)
    if other is not None:
        return Choice(other, warning=OTHER.format(other=other.full_version, version=target.full_version))
    wanted = target.name.removeprefix("python")
    return Choice(None, possible=False, warning=WITHOUT.format(target=f"linux/{target.architecture}", version=wanted))


def _here(version: str, target: Interpreter) -> Interpreter | None:
    """A Python of this machine with that version and the target's bytecode format."""
    with contextlib.suppress(InterpreterError):
        found = observe_interpreter(version)
        if found.magic == target.magic:
            return found
    return None


@contextmanager
def running(choice: Choice, target: Interpreter, cache: Cache) -> Iterator[Compiler]:
    """The command that compiles, while the block lasts."""
    if choice.host is not None:
        yield Compiler((choice.host.executable,), choice.host.executable)
        return
    from builder.prove import Contents, best_method, runnable_contents

    libraries = {"LD_LIBRARY_PATH": ":".join(target.library_path)} if target.library_path else {}
    contents = Contents((Path(target.root),), (target.executable,), libraries, "/")
    with runnable_contents(contents, cache, method=best_method(cache)) as program:
        environment = {name: value for name, value in program.environment.items() if name != "PYTHONPATH"}
        yield Compiler(program.command, f"{target.executable} of the base", environment)
