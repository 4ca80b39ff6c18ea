"""One build, from a Config to its result: read → observe → plan → assemble → prove → check → publish.

The order is the promise: nothing is written outside the cache before the image has answered its events. Prints through
the console only; the command line decides what goes to stdout.
"""

from collections.abc import Mapping, Sequence

from builder.assemble import Assembled
from builder.cache import Cache
from builder.config import Config
from builder.console import Console
from builder.make import Result, make
from builder.outputs import parse_reference, write_index, write_output, write_package
from builder.platforms import each_platform
from builder.prepared import Prepared
from builder.summary import Row, show_summary


def build(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> list[Result]:
    """Build and prove an image for each platform asked for, then write all outputs."""
    made = [make(one, cache, console, environment=environment) for one in each_platform(config)]
    write(made, cache, console)
    return made


def write(made: Sequence[Result], cache: Cache, console: Console) -> None:
    """Write all outputs of images that were made, and tell of it."""
    with console.step("write"):
        for result in made:
            for output in result.prepared.outputs:
                if result.package and output.kind == "zip":
                    write_package(output, result.package)
                else:
                    write_output(output, result.assembled.image, result.prepared.reference, cache)
        if made[0].prepared.config.index:
            _write_indexes(made, console)
    for result in made:
        _summary(result.prepared, result.assembled, console)
    cache.prune()


def _write_indexes(made: Sequence[Result], console: Console) -> None:
    """Each oci: output once more as an index of all platforms, under the name that was given."""
    for output in made[0].prepared.indexes:
        tag = parse_reference(made[0].prepared.config.tag or "untagged")[1]
        digest = write_index(output, [result.assembled.image for result in made], tag=tag)
        console.warn(f"{output} is an index ({digest}), which Lambda refuses: deploy one of the images that it lists")


def _summary(prepared: Prepared, assembled: Assembled, console: Console) -> None:
    rows = [
        Row(
            made.name,
            made.files,
            made.layer.size_uncompressed or 0,
            made.layer.descriptor.size,
            None if made.cached else made.seconds,
        )
        for made in assembled.layers
    ]
    show_summary(rows, prepared.outputs, console)
