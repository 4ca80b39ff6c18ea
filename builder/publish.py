"""A finished build into the registry that its tag names, with what can be said of it beside it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from builder.attest import PROVENANCE_TYPE, SBOM_TYPE, attest
from builder.bases.choice import REGISTRY, parse_base
from builder.console import Console
from builder.make import Result
from builder.platforms import asked_reference
from builder.registry import push_image, push_index

if TYPE_CHECKING:
    from builder.oci.distribution import Pushed


def publish(result: Result, console: Console, *, environment: Mapping[str, str]) -> "Pushed":
    """Push the image, its SBOM and its provenance. Raises RegistryError, and ImageError for a damaged cache."""
    from builder.oci.distribution import Artifact

    said, config = attest(result), result.prepared.config
    base = parse_base(config.base)
    with console.step("push"):
        pushed = push_image(
            result.assembled.image,
            result.prepared.reference,
            console,
            environment=environment,
            insecure=config.insecure,
            base=base.target if base.kind == REGISTRY else None,
            documents=(Artifact(SBOM_TYPE, said.sbom), Artifact(PROVENANCE_TYPE, said.provenance)),
        )
    console.say(
        f"pushed {pushed.reference}: {pushed.uploaded} blobs uploaded, {pushed.mounted} mounted, {pushed.present} there"
    )
    if pushed.complaint:
        console.warn(f"pushed without SBOM and provenance, which this registry does not take: {pushed.complaint}")
    return pushed


def publish_index(results: Sequence[Result], console: Console, *, environment: Mapping[str, str]) -> None:
    """Push an index of the images of all platforms, under the tag that was given. Raises RegistryError."""
    config = results[0].prepared.config
    name = asked_reference(config)
    images = [result.assembled.image for result in results]
    digest = push_index(images, name, environment=environment, insecure=config.insecure)
    console.warn(f"{name} is an index ({digest}), which Lambda refuses: deploy one of the images that it lists")
