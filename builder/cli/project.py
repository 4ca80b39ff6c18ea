"""What is done with a function's folder besides building it: `init` begins its settings, `trace` adds to them."""

import os
import sys
from pathlib import Path

import click

from builder.cli.common import folder_config, offline, open_cache, source
from builder.program import print_bytes


@click.command("init", short_help="Write a commented [tool.build-image] into pyproject.toml.")
@click.argument("source", default=".", type=click.Path(path_type=Path))
def init_command(source: Path) -> None:
    """Add a commented [tool.build-image] to the pyproject.toml of the folder SOURCE."""
    from builder.cli.build import build_command
    from builder.config import LISTS, STRINGS
    from builder.console import Console
    from builder.init import EXAMPLES, Setting, init

    options = [parameter for parameter in build_command.params if isinstance(parameter, click.Option)]
    helps = {option.name: option.help for option in options}
    names = {**STRINGS, **LISTS}
    settings = [Setting(key, helps[names[key]] or "", example) for key, example in EXAMPLES.items()]
    handler = init(source, settings)
    found = f"with the handler {handler}" if handler else "without a handler: none of the usual names is there"
    Console().say(f"wrote [tool.build-image] to {source / 'pyproject.toml'}, {found}")


@click.command("trace", short_help="Keep in the image what a real run asked for and missed.")
@source
@click.option(
    "--log",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The function's log, of one that ran with FIRKIN_TRACE=1; '-' is stdin.",
)
@click.option("--container", metavar="NAME", help="A container in the Docker Engine that ran with it, instead.")
@click.option(
    "--trim",
    type=click.Choice(["none", "safe", "reachable", "traced"]),
    envvar="BUILD_IMAGE_TRIM",
    help="The level to keep things at.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be added.")
@offline
def trace_command(source: str, *, log: Path | None, container: str | None, dry_run: bool, **options: object) -> None:
    """Add what a running function asked for, and SOURCE's image would lack, to keep in SOURCE's pyproject.toml."""
    from builder.console import Console
    from builder.prepare import prepare
    from builder.pyproject import write_keep
    from builder.trace import additions, parse_trace, read_log

    if (log is None) == (container is None):
        raise click.UsageError("Give one of --log FILE and --container NAME.")
    asked = parse_trace(read_log(log, container, sys.stdin.buffer), origin=str(log or container))
    console = Console()
    with open_cache(console) as cache:
        config = folder_config(source, **options)
        found = additions(prepare(config, cache, console, environment=os.environ).plan, asked, config.keep)
    for one in found:
        console.say(f"{one.pattern}: was left out: {one.why}")
    if found and not dry_run:
        write_keep(Path(source), [one.pattern for one in found])
        console.say(f"added to keep in {Path(source) / 'pyproject.toml'}; build again")
    if not found:
        console.say("all that was asked for is in the image already")
    print_bytes("".join(f"{one.pattern}\n" for one in found).encode("utf-8", "surrogateescape"))
