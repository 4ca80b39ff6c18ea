"""Whether the emulator stays as it is: memory, descriptors, processes and threads over many invocations and restarts.

`python -m bench.soak [INVOCATIONS [RESTARTS]]`; the suite runs a short form. Everything is read from the emulator's
`/proc`, at the end of a warm-up and at the end of it all.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.emulator import Caller, free_port

TOP = Path(__file__).parents[1]
SOURCE = "import os\ndef handler(event, context):\n    return event if event != 'die' else os._exit(7)\n"
ENVIRONMENTS = 2
WARMUP_RESTARTS, WARMUP_INVOCATIONS = 10, 1000


@dataclass(frozen=True, slots=True)
class State:
    """The emulator's process at a moment; memory in kB, children are the runtimes."""

    memory_kb: int
    descriptors: int
    children: int
    threads: int


def observe(pid: int) -> State:
    """The state now."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    children = [
        child for task in (process / "task").iterdir() for child in (task / "children").read_text().split() if child
    ]
    return State(
        int(status["VmRSS"].split()[0]), len(list((process / "fd").iterdir())), len(children), int(status["Threads"])
    )


@contextmanager
def emulator(folder: Path) -> Iterator[tuple[int, int]]:
    """An emulator with our runtime in `folder`: its process and port."""
    (folder / "app.py").write_text(SOURCE)
    port = free_port()
    command = [sys.executable, "-S", str(TOP / "emulator/__main__.py"), "--port", str(port)]
    runtime = [sys.executable, "-S", str(TOP / "bootstrap/__main__.py"), "app.handler"]
    options = ["--concurrency", str(ENVIRONMENTS), "--timeout", "60", "--"]
    with subprocess.Popen(
        [*command, *options, *runtime],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process.pid, port
        finally:
            process.terminate()


def work(callers: Sequence[Caller], count: int, event: bytes, status: int) -> None:
    """That many invocations, shared out among the callers, which work at the same time."""
    failures: list[BaseException] = []

    def run(caller: Caller) -> None:
        try:
            for _ in range(count // len(callers)):
                caller.invoke(event, status=status)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def soak(folder: Path, *, invocations: int, restarts: int) -> tuple[State, State]:
    """The states after a warm-up and after that many invocations and restarts more."""
    with emulator(folder) as (pid, port):
        callers = [Caller(port) for _ in range(2 * ENVIRONMENTS)]
        states = []
        for invoked, restarted in ((WARMUP_INVOCATIONS, WARMUP_RESTARTS), (invocations, restarts)):
            work(callers, invoked, b"1", 200)
            work(callers[:1], restarted, b'"die"', 502)
            work(callers, 4 * len(callers), b"1", 200)  # every environment is up again
            states.append(observe(pid))
        for caller in callers:
            caller.connection.close()
        return states[0], states[1]


def main() -> None:
    """Run it and print what was seen."""
    invocations, restarts = (int(word) for word in [*sys.argv[1:3], "100000", "1000"][:2])
    with tempfile.TemporaryDirectory() as folder:
        before, after = soak(Path(folder), invocations=invocations, restarts=restarts)
    print(f"after the warm-up                              {before}")
    print(f"after {invocations} invocations and {restarts} restarts {after}")


if __name__ == "__main__":
    main()
