"""What follows a build on the command line: report, push, SBOM and provenance, and what is told of each image.

Gives what `--json` prints; prints nothing itself.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.cache import Cache
    from builder.config import Config
    from builder.console import Console
    from builder.make import Result


def told_of_images(
    config: "Config",
    cache: "Cache",
    console: "Console",
    finish: "Callable[[Result, Cache, Console], dict[str, object]]",
    *,
    recallable: bool,
) -> list[dict[str, object]]:
    """What --json tells of each image: of the last build when nothing has changed since, else of one made now."""
    from builder.unchanged import applies, keep, known_build, recall, remember, watching

    if not recallable or not applies(config):
        from builder.build import build

        results = build(config, cache, console, environment=os.environ)
        told = [finish(result, cache, console) for result in results]
        if config.push and config.index:
            from builder.publish import publish_index

            publish_index(results, console, environment=os.environ)
        return told
    known = known_build(config, cache, os.environ)
    if known and (recalled := recall(known, cache, console)):
        return [recalled]
    with watching() as seen:
        if known and known.changed:
            from builder.edited import edited

            edit = edited(known, config, cache, console, environment=os.environ)
            if edit:
                one = {**finish(edit, cache, console), "trimming": known.described["trimming"]}
                now = replace(known, described=one, warnings=sorted(console.warned))
                keep(now, edit, seen, cache=cache, environment=os.environ)
                return [one]
        from builder.build import build

        (result,) = build(config, cache, console, environment=os.environ)
    one = finish(result, cache, console)
    remember(one, result, seen, cache=cache, console=console, environment=os.environ)
    return [one]


def finish_image(
    result: "Result", cache: "Cache", console: "Console", *,
    several: bool, report: Path | None, sbom: Path | None, provenance: Path | None,
) -> dict[str, object]:  # fmt: skip
    """Write what is said about an image, push it, and give what --json tells of it.

    Of several images, each has its architecture in the names of its files.
    """
    from builder.describe import describe
    from builder.platforms import own_file

    architecture = result.prepared.plan.architecture if several else ""
    if report:
        from builder.report import write_report
        from builder.report.observe import observe

        file = own_file(report, architecture)
        write_report(file, describe(result), result.prepared.plan, observe(result, cache))
        console.say(f"wrote {file}")
    pushed = _push(result, console)
    if sbom or provenance:
        _attest(result, sbom=own_file(sbom, architecture), provenance=own_file(provenance, architecture))
    return {**describe(result), **pushed}


def _push(result: "Result", console: "Console") -> dict[str, object]:
    """Push an image if that was asked for; gives what --json tells of it."""
    if not result.prepared.config.push:
        return {}
    from builder.describe import describe_push
    from builder.publish import publish

    return describe_push(publish(result, console, environment=os.environ))


def _attest(result: "Result", *, sbom: Path | None, provenance: Path | None) -> None:
    from builder.attest import attest
    from builder.disk import write_whole

    said = attest(result)
    for file, body in ((sbom, said.sbom), (provenance, said.provenance)):
        if file:
            write_whole(file, body, f"writing {file}")
