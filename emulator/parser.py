"""How the command line and the variables are read: argparse with the words of this program. It knows no option.

Every option is also a variable, and what is wrong is told with the name that was used.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, NoReturn

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VARIABLE_PREFIX = "EMULATOR_"
_ON, _OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})
_ALIKE = 0.8  # of difflib: a letter more, less or another in a name of usual length


class Parser(argparse.ArgumentParser):
    """Raises `UsageError`; `source` is what is being read."""

    source = "the command line"

    def options(self) -> Iterator[tuple[str, bool]]:
        """Each option's name, and whether it is a switch that takes no value."""
        for action in self._actions:
            if action.dest != "help" and action.option_strings:
                yield action.option_strings[0], action.nargs == 0

    def error(self, message: str) -> NoReturn:
        """What argparse found wrong."""
        unknown = message.partition("unrecognized arguments: ")[2].split(" ")[0].partition("=")[0]
        if unknown:
            hint = alike(unknown, (name for name, _ in self.options()))
            message += f"; {hint}" if hint else "; the runtime's command comes after `--` (see --help)"
        elif self.source == "the command line":
            message += " (see --help)"
        else:
            message = message.partition(": ")[2] or message  # without the option, which nobody typed
        raise UsageError(f"reading {self.source}: {message}")


def alike(name: str, known: Iterable[str]) -> str:
    """A question about the known name that was probably meant, or nothing."""
    try:
        import difflib  # noqa: PLC0415 - only for who made a mistake
    except ImportError:  # an image may lack it
        return ""

    found = difflib.get_close_matches(name, list(known), 1, _ALIKE)
    return f"is {found[0]} meant?" if found else ""


def from_variables(parser: Parser, environment: Mapping[str, str], more: Mapping[str, str]) -> list[str]:
    """The options that variables give: `EMULATOR_HEALTH_PATH=/up` is `--health-path=/up`, `EMULATOR_HTTP=1` `--http`.

    An image is configured so: its arguments are the runtime's. `more` names further variables and their options, which
    an empty value leaves alone. Raises `UsageError`, also for the name of a variable that looks like a mistake.
    """
    given = [(name, option, False) for name, option in more.items() if environment.get(name)]
    own = {VARIABLE_PREFIX + option.lstrip("-").replace("-", "_").upper(): (option, is_switch)
           for option, is_switch in parser.options()}  # fmt: skip
    given += [(name, *own[name]) for name in own if name in environment]
    for name in environment:
        if name.startswith(VARIABLE_PREFIX) and name not in own:
            hint = alike(name, own)
            if hint:
                raise UsageError(f"reading {name}: there is no such option; {hint}")
    found = []
    for name, option, is_switch in given:
        argument = _argument(name, option, environment[name], is_switch=is_switch)
        parser.source = name
        parser.parse_args(argument)  # for an error with the variable's name
        found += argument
    parser.source = Parser.source
    return found


def _argument(name: str, option: str, text: str, *, is_switch: bool) -> list[str]:
    if not is_switch:
        return [f"{option}={text}"]
    if text.lower() in _ON:
        return [option]
    if text.lower() in _OFF:
        return []
    raise UsageError(f"reading {name}: found {text!r}; give 1 or 0")


def seconds(text: str) -> float:
    """A time that may be none."""
    value = _parsed(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"found {text!r}; give seconds, 0 or more")
    return value


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; give a whole number") from None


def number(text: str, source: str, example: str) -> float:
    """Any number, of a setting that has several names. Raises `UsageError`."""
    value = _parsed(text)
    if not math.isfinite(value):
        raise UsageError(f"reading {source}: found {text!r}; give {example}")
    return value


def _parsed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
