"""What several commands share: the folder that is their argument, options, the Config, the cache."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.grouped import REST, GroupedOption
from builder.program import origin_of

if TYPE_CHECKING:
    from click.decorators import FC

    from builder.cache import Cache
    from builder.config import Config
    from builder.console import Console

NETWORK = "Network and cache"
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def defaults_of_folder(context: click.Context, _: click.Parameter, value: str) -> str:
    """Take [tool.build-image] of the folder as the defaults of the other options."""
    from builder.config import parse_table, read_pyproject
    from builder.image_names import is_local

    if not is_local(value) and Path(value).is_dir():  # else the command says what is wrong with it
        table = parse_table(read_pyproject(Path(value)))
        known = {parameter.name for parameter in context.command.params}
        context.default_map = {name: given for name, given in table.items() if name in known}
    return value


source = click.argument("source", default=".", is_eager=True, callback=defaults_of_folder, envvar="BUILD_IMAGE_SOURCE")

offline = click.option(
    "--offline", cls=GroupedOption, group=NETWORK, is_flag=True, envvar="BUILD_IMAGE_OFFLINE", help="Use no network."
)

insecure_registry = click.option(
    "--insecure-registry",
    "insecure",
    cls=GroupedOption,
    group=NETWORK,
    multiple=True,
    metavar="HOST[:PORT]",
    envvar="BUILD_IMAGE_INSECURE_REGISTRY",
    help="Allow plain HTTP and unverified TLS for this registry alone. Repeatable.",
)


PLATFORMS = ("linux/amd64", "linux/arm64")


def _lambdas(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what no function on Lambda runs on, before anything is looked at."""
    for value in values:
        if value.removesuffix("/v8") not in PLATFORMS:
            raise click.BadParameter(f"{value!r} is none of Lambda's platforms, {' and '.join(PLATFORMS)}.")
    return values


def platforms(*, group: str = REST, **more: str) -> "Callable[[FC], FC]":
    """`--platform`, Lambda's; what it is for is each command's own."""
    return click.option(
        "--platform",
        "platforms",
        cls=GroupedOption,
        group=group,
        multiple=True,
        metavar="OS/ARCH",
        callback=_lambdas,
        **more,
    )


def folder_config(source: str, **options: object) -> "Config":
    """The Config of a folder as a plain build would have it, but for the given options."""
    from builder.config import Config, parse_table, read_pyproject

    table = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in parse_table(read_pyproject(Path(source))).items()
    }
    given = {name: value for name, value in options.items() if value is not None}
    return Config(source=Path(source), **{**table, **given})  # type: ignore[arg-type]  # checked by both


def config_of(source: str, **options: object) -> "Config":
    """The Config of the options, each with its origin."""
    from builder.config import Config

    context = click.get_current_context()
    origins = {name: origin_of(context, name) for name in options}
    given = {name: value for name, value in options.items() if value is not None}
    return Config(source=Path(source), origins=origins, **given)  # type: ignore[arg-type]  # click has checked the types


@contextmanager
def open_cache(console: "Console", *, fresh: bool = False) -> Iterator["Cache"]:
    """The cache; a fresh one is removed afterwards."""
    from dataclasses import replace

    from builder.cache import Cache, default_folder

    cache = Cache(default_folder(os.environ), console.mention)
    if not fresh:
        yield cache
        return
    with cache.scratch() as scratch:
        yield replace(cache, folder=scratch)
