"""The Docker Engine, through the `docker` SDK: loading an image, a container's log. Imported only when asked for."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import DockerError

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped]  # the SDK has no types, and no stubs that follow it

TIMEOUT_S = 300


def container_log(name: str) -> str:
    """All that a container wrote so far. Raises DockerError."""
    from docker.errors import DockerException  # type: ignore[import-untyped]  # the SDK has no types, and no stubs that follow it

    client = _client("name a file with --log instead")
    try:
        return str(client.containers.get(name).logs().decode("utf-8", "replace"))
    except (DockerException, OSError) as error:
        raise DockerError(
            f"reading the log of container {name!r}: {_reason(error)}",
            hint="See docker ps -a, or give its log with --log FILE.",
        ) from error
    finally:
        client.close()


def load(archive: Path, reference: str, *, ids: Collection[str]) -> None:
    """Load an image archive and check that the engine holds exactly that image under the name.

    `ids` are the digests of its configuration and of its manifest: the classic image store names an image by the first,
    containerd's by the second. Raises DockerError.
    """
    from docker.errors import DockerException

    client = _client("write the image to a file with -o tar:FILE")
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


def _client(otherwise: str) -> "DockerClient":
    import docker
    from docker.errors import DockerException

    try:
        return docker.from_env(timeout=TIMEOUT_S)
    except DockerException as error:
        raise DockerError(
            f"reaching the Docker Engine: {_reason(error)}", hint=f"Start it, set DOCKER_HOST, or {otherwise}."
        ) from error


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
