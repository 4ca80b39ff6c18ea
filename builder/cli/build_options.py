"""The options of `build-image`, in the groups that its help shows. What they do is in `build`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.decorators import FC

from builder.cli.common import NETWORK, insecure_registry, offline, platforms
from builder.cli.grouped import GroupedOption

if TYPE_CHECKING:
    from collections.abc import Callable


def _group(title: str) -> "partial[Callable[[FC], FC]]":
    """`click.option` for a group."""
    return partial(click.option, cls=GroupedOption, group=title)


_IMAGE = "The image"

_function = _group("The function")
_image = _group(_IMAGE)
_size = _group("What is left out")
_output = _group("Where it goes")
_engine = _group("How it is made and checked")
_instead = _group("Instead of building")
_told = _group("What is told")
_network = _group(NETWORK)

OPTIONS = (
    _function(
        "--handler",
        metavar="MODULE.FUNCTION",
        help="The handler; else app.handler, lambda_function.lambda_handler or main.handler, if it is there.",
    ),
    _function(
        "--event",
        "events",
        multiple=True,
        metavar="FILE",
        envvar="BUILD_IMAGE_EVENT",
        help="Sample events, relative to SOURCE; else events/*.json. Repeatable.",
    ),
    _function(
        "--volatile",
        multiple=True,
        metavar="REGEX",
        help="What may differ between two runs of the function, besides times, ids and the like. Repeatable.",
    ),
    _image("-t", "--tag", metavar="NAME[:TAG]", help="The image's name; else the project's or the folder's."),
    _image(
        "--base",
        metavar="BASE",
        default="host",
        show_default=True,
        help="host (this machine's Python), oci:DIR, tar:FILE, docker:NAME, or the name of an image in a registry.",
    ),
    _image(
        "--flatten",
        is_flag=True,
        help="Take only the needed files out of the base, its Python and libraries, FROM scratch.",
    ),
    _image(
        "--python",
        metavar="VERSION|PATH",
        help="The Python to ship; else the one that runs this, or the first of the base.",
    ),
    platforms(
        group=_IMAGE,
        envvar="BUILD_IMAGE_PLATFORM",
        help="linux/amd64 or linux/arm64; else the base's, with --base host this machine's. Repeatable: an image each.",
    ),
    _image(
        "--index",
        is_flag=True,
        help="With several platforms, make each oci:DIR and the pushed tag one index of all; Lambda refuses it.",
    ),
    _image(
        "--env",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        envvar="BUILD_IMAGE_ENV",
        help="A variable of the image's environment. Repeatable.",
    ),
    _image(
        "--label",
        "labels",
        multiple=True,
        metavar="NAME=VALUE",
        envvar="BUILD_IMAGE_LABEL",
        help="A label of the image, besides those from the project and git. Repeatable.",
    ),
    _size(
        "--trim",
        type=click.Choice(["none", "safe", "reachable", "traced"]),
        default="reachable",
        show_default=True,
        help="How much is left out.",
    ),
    _size(
        "--keep",
        multiple=True,
        metavar="PATTERN",
        help="Keep these files whatever the trim level says. Repeatable.",
    ),
    _size("--drop", multiple=True, metavar="PATTERN", help="Leave these files out. Repeatable."),
    _output(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="KIND:PLACE",
        envvar="BUILD_IMAGE_OUTPUT",
        help="oci:DIR, tar:FILE, docker, rootfs:DIR, layers:DIR or zip:FILE; else oci:dist/NAME. Repeatable.",
    ),
    _output("--load", is_flag=True, help="The same as -o docker."),
    _output("--push", is_flag=True, help="Push the image to the registry that --tag names, with SBOM and provenance."),
    _output(
        "--image-refs",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write NAME@sha256:… to a file too, a line for each image.",
    ),
    _engine(
        "--engine",
        type=click.Choice(["oci", "docker"]),
        default="oci",
        show_default=True,
        help="What assembles the image: this program, or a Docker Engine from a Dockerfile.",
    ),
    _engine("--template", metavar="FILE", help="Another template of the Dockerfile, relative to SOURCE."),
    _engine("--no-prove", is_flag=True, help="Write the image without running it."),
    _engine(
        "--lint-ignore",
        multiple=True,
        metavar="RULE",
        help="Build although this rule of `firkin lint` is broken. Repeatable.",
    ),
    _instead("--dockerfile", is_flag=True, help="Print a Dockerfile of the image; build nothing."),
    _instead(
        "--plan",
        "show_plan",
        is_flag=True,
        envvar="BUILD_IMAGE_PLAN",
        help="Print which file goes to which layer and why, as JSON; build nothing.",
    ),
    _instead(
        "--check",
        metavar="IMAGE",
        help="Build once more, from an empty cache, and compare with this image (oci:DIR or tar:FILE); write nothing.",
    ),
    _told(
        "--report",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write a report of the build: FILE.html or FILE.json.",
    ),
    _told(
        "--sbom",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write what is in the image, as CycloneDX 1.6 JSON.",
    ),
    _told(
        "--provenance",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write how the image was made, as an in-toto statement of SLSA provenance.",
    ),
    _told("--json", "as_json", is_flag=True, envvar="BUILD_IMAGE_JSON", help="Print the result as one JSON object."),
    _told("-q", "--quiet", is_flag=True, help="Only warnings, errors and the result."),
    _told("-v", "--verbose", is_flag=True, help="Say more."),
    offline,
    insecure_registry,
    _network("--no-cache", is_flag=True, help="Build everything anew. uv's own cache of downloads is still used."),
    click.version_option(package_name="firkin"),
)


def build_options(function: FC) -> FC:
    """Declare them all for a command."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
