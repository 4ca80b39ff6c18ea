"""The Docker Engine, through the `docker` SDK: loading an image, and nothing else yet. Imported only when asked for."""

from pathlib import Path

from builder.errors import DockerError

TIMEOUT_S = 300


def load(archive: Path, reference: str, *, image_id: str) -> None:
    """Load an image archive and check that the engine holds exactly that image under the name. Raises DockerError."""
    import docker
    from docker.errors import DockerException

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
        digest = client.images.get(reference).attrs.get("Descriptor", {}).get("digest", "")
    except (DockerException, OSError) as error:
        raise DockerError(
            f"loading {reference} into the Docker Engine: {_reason(error)}", hint="See the engine's log."
        ) from error
    finally:
        client.close()
    # The classic image store names an image by its configuration, containerd's by its manifest.
    if image_id not in (found, digest) and not digest:
        raise DockerError(
            f"loading {reference}: the engine holds {found}, not {image_id}",
            hint="Remove that image and load again.",
        )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
