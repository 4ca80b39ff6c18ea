"""What is said of images: `bases` that are known, `lint` of one, `explain` of a file in one."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.common import insecure_registry, offline, open_cache, platforms
from builder.errors import SourceError
from builder.program import print_bytes, print_json, render_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.lint import Subject
    from builder.registry import Fetching


@click.command("bases", short_help="List the bases that are known, and where their Python is.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print them as one JSON object, with the sources of what is said."
)
def bases_command(*, as_json: bool) -> None:
    """List the bases that are known: their names, where their Python is, their C library."""
    from builder.bases import known_bases
    from builder.bases.known import render_bases

    if as_json:
        print_json({"bases": [base.describe() for base in known_bases()]})
    else:
        print_bytes(render_bases(known_bases()).encode())


@click.command("lint", short_help="Say why Lambda would refuse an image, before the deploy.")
@click.argument("image")
@click.option("--ignore", multiple=True, metavar="RULE", help="Say nothing of this rule. Repeatable.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option(
    "--sarif", type=click.Path(path_type=Path), metavar="FILE", help="Write the findings as SARIF, for dashboards."
)
@platforms(help="Check the image for this platform alone, where IMAGE has several. Repeatable.")
@insecure_registry
@offline
def lint_command(
    image: str, *, ignore: tuple[str, ...], strict: bool, as_json: bool, sarif: Path | None,
    platforms: tuple[str, ...], insecure: tuple[str, ...], offline: bool,
) -> None:  # fmt: skip
    """Check IMAGE for every reason for which Lambda refuses it or the function fails there.

    IMAGE is oci:DIR, tar:FILE, docker:NAME or an image of a registry. Of an index, the images of all platforms are
    checked.
    """
    from importlib.metadata import version

    from builder.console import Console
    from builder.disk import write_whole
    from builder.lint import check_ignored, describe_findings, failed, gate, lint_each, render_sarif, render_text
    from builder.registry import Fetching

    check_ignored(ignore, origin="--ignore")
    console = Console()
    with open_cache(console) as cache:
        fetching = Fetching(cache, console, os.environ, insecure=insecure, offline=offline)
        with _subjects(image, platforms, fetching) as subjects:
            findings = lint_each(subjects, cache, ignored=ignore)
    if sarif:
        log = render_sarif(findings, image, version=version("firkin"))
        write_whole(sarif, render_json(log), f"writing {sarif}")
    if as_json:
        print_json(describe_findings(findings, image, passed=not failed(findings, strict=strict)))
    else:
        print_bytes(render_text(findings, image).encode("utf-8", "surrogateescape"))
    gate(findings, image, strict=strict)


@contextmanager
def _subjects(image: str, platforms: "Sequence[str]", fetching: "Fetching") -> "Iterator[tuple[Subject, ...]]":
    """The images that a name leads to, wherever they are."""
    from builder.image_names import ENGINE, hint_without_kind, is_local
    from builder.lint import fetched_subjects, open_subjects
    from builder.oci import BlobStore, Platform
    from builder.registry import pull_images

    wanted = [Platform.parse(one) for one in platforms]
    if is_local(image):
        yield open_subjects(image, wanted)
    elif image.startswith(ENGINE):
        from builder.daemon import saved_image

        with saved_image(image.removeprefix(ENGINE), fetching.cache) as file:
            yield open_subjects(f"tar:{file}", wanted)
    elif Path(image).exists():
        raise SourceError(
            f"reading the image: {image!r} is a place here, and a bare name is an image in a registry",
            hint=hint_without_kind(image) or "An image is oci:DIR or tar:FILE; build-image checks a function's folder.",
        )
    else:
        yield fetched_subjects(image, pull_images(image, wanted, fetching), BlobStore(fetching.cache.blobs), wanted)


@click.command("explain", short_help="Say why a module or file is in an image, or why not.")
@click.argument("image")
@click.argument("name", metavar="MODULE|PATH")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def explain_command(image: str, name: str, *, as_json: bool) -> None:
    """Tell why a module or file is in IMAGE, or why not.

    IMAGE is oci:DIR, tar:FILE or the name of an image in the Docker Engine.
    """
    from builder.console import Console
    from builder.explain import describe, explain, open_reasons, render

    with open_cache(Console()) as cache:
        answers = explain(name, open_reasons(image, cache))
    if as_json:
        print_json(describe(answers))
    else:
        print_bytes(render(answers).encode("utf-8", "surrogateescape"))
