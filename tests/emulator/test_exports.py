"""The package's surface."""

from __future__ import annotations

import subprocess
import sys

import emulator
from emulator import errors
from tests.emulator.conftest import RUNTIMES


def test_names_are_sorted_and_there() -> None:
    """`__all__` is sorted, complete and importable, and `dir` shows it."""
    assert emulator.__all__ == sorted(emulator.__all__)
    for name in emulator.__all__:
        assert getattr(emulator, name).__name__ == name
    assert set(emulator.__all__) <= set(dir(emulator))


def test_errors_are_exported_and_one_family() -> None:
    """Every error has the one root, and is exported; exit codes are unique among those that end the program."""
    family = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert all(issubclass(error, errors.EmulatorError) for error in family)
    assert {error.__name__ for error in family} <= set(emulator.__all__)
    codes = [error.exit_code for error in (errors.UsageError, errors.CommandNotStartedError, errors.ListenError)]
    assert codes == [2, 3, 4]
    assert errors.InternalError.exit_code == 70


def test_importing_costs_nothing() -> None:
    """The package alone loads neither asyncio nor its own modules, and an unknown name is an AttributeError."""
    probe = (
        "import sys, emulator\n"
        "assert 'asyncio' not in sys.modules and not [m for m in sys.modules if m.startswith('emulator.')]\n"
        "emulator.UsageError\n"
        "assert 'asyncio' not in sys.modules\n"
        "try: emulator.nothing\n"
        "except AttributeError as error: assert 'nothing' in str(error)\n"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=20)


def test_no_module_takes_the_place_of_a_name() -> None:
    """What is exported stays what it is when every module of the package has been imported."""
    probe = (
        "import emulator, importlib, pkgutil\n"
        "for module in pkgutil.iter_modules(emulator.__path__, 'emulator.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert all(callable(getattr(emulator, name)) for name in emulator.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=20)


def test_a_plain_run_loads_only_what_it_uses() -> None:
    """Neither extensions nor telemetry, the HTTP mode nor event streams: each comes with its first use."""
    probe = (
        "import asyncio, sys\n"
        "from emulator import Emulator, Settings, serve\n"
        "async def story():\n"
        f"    async with Emulator(Settings([sys.executable, '-S', {str(RUNTIMES / 'echo.py')!r}])) as emulator:\n"
        "        assert (await emulator.invoke(b'1')).payload == b'1'\n"
        "asyncio.run(story())\n"
        "loaded = {name.partition('.')[2] for name in sys.modules if name.startswith('emulator.')}\n"
        "late = {'bandwidth', 'cors', 'event_stream', 'extension_host', 'extensions', 'extensions_api',\n"
        "        'function_url', 'function_url_answer', 'function_url_event', 'invoke_stream', 'telemetry',\n"
        "        'telemetry_api'}\n"
        "assert not loaded & late, loaded & late\n"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=20)
