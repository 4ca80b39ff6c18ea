"""Images in registries: the client's half of the OCI distribution API, made with httpx.

    access = Access(os.environ, insecure=parse_insecure(["localhost:5000"]))
    pulled = pull(Reference.parse_source("python:3.13-slim"), Platform("linux", "arm64"), store=store, access=access)

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md. Functions are plain; inside,
an event loop gives every wait a deadline. All errors are `OCIError`s, those of the registry `RegistryError`s.
"""

from builder.oci.blobs import BlobStore
from builder.oci.distribution.access import Access
from builder.oci.distribution.credentials import Credentials, Keyring
from builder.oci.distribution.hosts import parse_insecure
from builder.oci.distribution.limits import Limits
from builder.oci.distribution.manifest import Choice
from builder.oci.distribution.progress import Progress, State, Transfer, nobody
from builder.oci.distribution.pull import Memory, Pulled, Puller
from builder.oci.distribution.session import Session
from builder.oci.platform import Platform
from builder.oci.reference import Reference

__all__ = [
    "Access",
    "Choice",
    "Credentials",
    "Keyring",
    "Limits",
    "Memory",
    "Progress",
    "Pulled",
    "State",
    "Transfer",
    "nobody",
    "parse_insecure",
    "pull",
]


def pull(
    reference: Reference,
    platform: Platform,
    *,
    store: BlobStore,
    memory: Memory,
    access: Access,
    offline: bool = False,
    progress: Progress = nobody,
) -> Pulled:
    """Have an image in the store, every byte checked, whatever was there before, and give it as an OCI image.

    What is there already is only read. With `offline` nothing is asked of anybody. Raises UsageError, ImageError,
    RegistryError, DiskError.
    """

    async def work() -> Pulled:
        async with access.connections() as connections:
            session = None
            if not offline:
                session = Session(connections, reference, access.keyring().find, limits=access.limits)
            puller = Puller(reference, store, memory, session, progress)
            return await puller.pull(platform, max_bytes=access.limits.image_bytes)

    return access.run(work(), f"pulling {reference}")
