"""The Docker Engine, through the `docker` SDK: images in and out, a container's log. Imported only when asked for."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from builder.cache import Cache
from builder.disk import disk
from builder.errors import BaseError, DockerError, ImageError
from builder.image_names import hint_without_kind

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped]  # the SDK has no types, and no stubs that follow it


SOCKET = "unix:///var/run/docker.sock"  # where the SDK looks without DOCKER_HOST
TIMEOUT_S = 300
CHUNK_BYTES = 1 << 20
LOG_LINES = 50  # of a failed build, its end


def container_log(name: str) -> str:
    """All that a container wrote so far. Raises DockerError."""
    from docker.errors import DockerException  # type: ignore[import-untyped]  # the SDK has no types

    with _client("name a file with --log instead") as client:
        try:
            return str(client.containers.get(name).logs().decode("utf-8", "replace"))
        except (DockerException, OSError) as error:
            raise DockerError(
                f"reading the log of container {name!r}: {_reason(error)}",
                hint="See docker ps -a, or give its log with --log FILE.",
            ) from error


def load(archive: Path, reference: str, *, ids: Collection[str]) -> None:
    """Load an image archive and check that the engine holds exactly that image under the name.

    `ids` are the digests of its configuration and of its manifest: the classic image store names an image by the first,
    containerd's by the second. Raises DockerError.
    """
    from docker.errors import DockerException

    with _client("write the image to a file with -o tar:FILE") as client:
        try:
            with archive.open("rb") as file:
                client.images.load(file)
            found = str(client.images.get(reference).id)
        except (DockerException, OSError) as error:  # a lost connection is an OSError, by requests
            raise DockerError(
                f"loading {reference} into the Docker Engine: {_reason(error)}", hint=_advice(error)
            ) from error
    if found not in ids:
        raise DockerError(
            f"loading {reference}: the engine holds {found}, not {' or '.join(sorted(ids))}",
            hint="Something else gave that name to another image meanwhile: load again.",
        )


@contextmanager
def _client(otherwise: str) -> Iterator["DockerClient"]:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=TIMEOUT_S)
    except DockerException as error:
        raise DockerError(
            f"reaching the Docker Engine at {os.environ.get('DOCKER_HOST') or SOCKET}: {_system_reason(error)}",
            hint=f"Start it, set DOCKER_HOST, or {otherwise}.",
        ) from error
    try:
        yield client
    finally:
        client.close()


def image_id(name: str) -> str:
    """The id of an image that the engine holds. Raises BaseError when it holds none, DockerError."""
    from docker.errors import DockerException, ImageNotFound

    with _client("name the base in another way") as client:
        try:
            return str(client.images.get(name).id)
        except ImageNotFound:
            raise BaseError(
                f"reading the base docker:{name}: the Docker Engine holds no image of that name",
                hint="Build or pull it (docker pull), or see docker images.",
            ) from None
        except (DockerException, OSError) as error:
            raise DockerError(
                f"reading the base docker:{name}: {_reason(error)}", hint="See the engine's log."
            ) from error


def save(image: str, archive: Path) -> None:
    """Write an image of the engine, named by its id, to a new file, as `docker save` does. Raises DockerError."""
    from docker.errors import DockerException

    with _client("name the base in another way") as client, archive.open("xb") as file:
        try:
            for piece in client.images.get(image).save(chunk_size=CHUNK_BYTES):
                with disk(f"writing {archive}"):
                    file.write(piece)
        except (DockerException, OSError) as error:
            raise DockerError(
                f"saving {image} from the Docker Engine: {_reason(error)}", hint=_advice(error)
            ) from error


@contextmanager
def saved_image(name: str, cache: Cache) -> Iterator[Path]:
    """A file with an image of the engine, by its name, as long as it is read. Raises ImageError, DockerError."""
    try:
        found = image_id(name)
    except BaseError:
        raise ImageError(
            f"looking for the image {name!r}: the Docker Engine holds none of that name",
            hint=hint_without_kind(name) or "See docker images; an image elsewhere is named oci:DIR or tar:FILE.",
        ) from None
    with cache.scratch() as scratch:
        save(found, scratch / "image.tar")
        yield scratch / "image.tar"


def build_context(context: BinaryIO, reference: str, *, platform: str, say: Callable[[str], None]) -> str:
    """Build a context, a tar with a Dockerfile, under a name; gives the image's id. `say` gets the build's log.

    The SDK speaks to the engine's own builder, which has no cache mounts. Raises DockerError, with the end of the log.
    """
    from docker.errors import DockerException

    log: list[str] = []
    image = ""
    with _client("use --engine oci") as client:
        try:
            for line in client.api.build(
                fileobj=context,
                custom_context=True,
                tag=reference,
                platform=platform,
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if text := str(line.get("stream", "")).strip():
                    log.append(text)
                    say(text)
                image = line.get("aux", {}).get("ID", image)
                if "error" in line:
                    raise DockerError(
                        f"building {reference} by the Docker Engine: {str(line['error']).strip()}",
                        hint=_full(str(line["error"]))
                        or "The engine's log is above; --dockerfile prints what it was given.",
                        details="\n".join(log[-LOG_LINES:]),
                    )
            return image or str(client.images.get(reference).id)
        except (DockerException, OSError) as error:
            raise DockerError(
                f"building {reference} by the Docker Engine: {_reason(error)}", hint=_advice(error)
            ) from error


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _advice(error: Exception) -> str:
    """What to do about an engine that did not carry out what it was asked."""
    if isinstance(error, OSError):  # requests' errors are, its APIError too, which is an answer and no lost connection
        response = getattr(error, "response", None)
        if response is None:
            return "The engine went away, or broke off: see whether it runs (docker info), and begin again."
    return _full(str(error)) or "See the engine's log."


def _full(text: str) -> str:
    """Advice where the engine says that its disk is full, else ""."""
    if "no space left on device" not in text.lower():
        return ""
    return "The engine's disk is full: docker system df says of what, docker system prune frees what nothing uses."


def _system_reason(error: BaseException) -> str:
    """What the system said, which the library wraps into four exceptions; else the library's own words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return next(iter(str(error).splitlines()), "") or type(error).__name__
