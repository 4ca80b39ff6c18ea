"""The Docker Engine, through the `docker` SDK: loading an image, and nothing else yet. Imported only when asked for."""

from collections.abc import Collection
from pathlib import Path

from builder.errors import DockerError

TIMEOUT_S = 300


def load(archive: Path, reference: str, *, ids: Collection[str]) -> None:
    """Load an image archive and check that the engine holds exactly that image under the name.

    `ids` are the digests of its configuration and of its manifest: the classic image store names an image by the first,
    containerd's by the second. Raises DockerError.
    """
    import docker  # type: ignore[import-untyped]  # the SDK has no types, and no stubs that follow it
    from docker.errors import DockerException  # type: ignore[import-untyped]  # same

    try:
        client = docker.from_env(timeout=TIMEOUT_S)
    except DockerException as error:
        raise DockerError(
            f"reaching the Docker Engine: {_reason(error)}",
            hint="Start it, set DOCKER_HOST, or write the image to a file with -o tar:FILE.",
        ) from error
    try:
        with archive.open("rb") as file:
            client.images.load(file)
        found = str(client.images.get(reference).id)
    except (DockerException, OSError) as error:  # a lost connection is an OSError, by requests
        raise DockerError(
            f"loading {reference} into the Docker Engine: {_reason(error)}", hint="See the engine's log."
        ) from error
    finally:
        client.close()
    if found not in ids:
        raise DockerError(
            f"loading {reference}: the engine holds {found}, not {' or '.join(sorted(ids))}",
            hint="Something else gave that name to another image meanwhile: load again.",
        )


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
