"""The processes of external extensions: which files they are, what they find around them, and that each is ended.

Hands without opinions: when one is started or killed is `extension_host`'s.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

from .process import Process

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from .values import Extensions

# What is about the runtime's process alone; AWS's "Lambda Extensions API", and what begins with an underscore.
_NOT_FOR_EXTENSIONS = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


class ExtensionProcesses:
    """Those of one environment, by identifier. `on_output` gets what they write, `on_exit` each end."""

    def __init__(
        self,
        variables: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
        *,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[str, int], None],
    ) -> None:
        self._variables = variables
        self._loop = loop
        self._on_output = on_output
        self._on_exit = on_exit
        self._running: dict[str, Process] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, identifier: str, command: Sequence[str]) -> None:
        """Start one. Raises `CommandNotStartedError`."""

        def over(returncode: int) -> None:
            del self._running[identifier]
            self._on_exit(identifier, returncode)

        self._running[identifier] = Process(
            command,
            environment=extension_environment(self._variables),
            cwd="/",
            loop=self._loop,
            stdout=self._on_output,
            stderr=self._on_output,
            on_exit=over,
            what="extension",
        )

    def kill(self, wanted: Callable[[str], bool] = lambda _: True) -> None:
        """SIGKILL to those of which `wanted` says so, going by their identifiers."""
        for identifier, process in list(self._running.items()):
            if wanted(identifier):
                process.kill()


def list_extensions(extensions: Extensions) -> list[tuple[str, Sequence[str]]]:
    """Names and commands, sorted by name: those given, or the files of the folder; none if there is no folder."""
    if extensions is None:
        return []
    if not isinstance(extensions, str):
        return sorted(extensions.items())
    try:
        with os.scandir(os.path.abspath(extensions)) as entries:  # noqa: PTH100 - no pathlib here; they start elsewhere
            return sorted((entry.name, [entry.path]) for entry in entries if not entry.is_dir())
    except OSError:
        return []


def extension_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What an extension's process finds, of the runtime's variables."""
    return {
        name: value for name, value in variables.items() if name not in _NOT_FOR_EXTENSIONS and not name.startswith("_")
    }
