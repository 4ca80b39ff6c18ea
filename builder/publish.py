"""A finished build into the registry that its tag names, with what can be said of it beside it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from builder.attest import PROVENANCE_TYPE, SBOM_TYPE, attest
from builder.build import Result
from builder.console import Console
from builder.registry import push_image

if TYPE_CHECKING:
    from builder.oci.distribution import Pushed

_NO_NAMES = ("oci:", "tar:", "docker:")  # how bases start that are in no registry


def publish(result: Result, console: Console, *, environment: Mapping[str, str]) -> "Pushed":
    """Push the image, its SBOM and its provenance. Raises RegistryError, and ImageError for a damaged cache."""
    from builder.oci.distribution import Artifact

    said, config = attest(result), result.prepared.config
    base = None if config.base == "host" or config.base.startswith(_NO_NAMES) else config.base
    with console.step("push"):
        pushed = push_image(
            result.assembled.image,
            result.prepared.reference,
            console,
            environment=environment,
            insecure=config.insecure,
            base=base,
            documents=(Artifact(SBOM_TYPE, said.sbom), Artifact(PROVENANCE_TYPE, said.provenance)),
        )
    console.say(
        f"pushed {pushed.reference}: {pushed.uploaded} blobs uploaded, {pushed.mounted} mounted, {pushed.present} there"
    )
    return pushed
