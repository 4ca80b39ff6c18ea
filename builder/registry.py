"""Registries, for the builder: images out of them and into them, with the cache and the console it has, and its errors.

The client itself is `builder.oci.distribution`, which loads httpx: it is imported when a registry is named, and not
before.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from builder.cache import ELSEWHERE, Cache, key_of
from builder.console import Console
from builder.disk import advice
from builder.errors import ImageError, OutputError, RegistryError, SourceError
from builder.oci import (
    AccessError,
    BlobStore,
    Descriptor,
    DiskError,
    Image,
    OCIError,
    Platform,
    Reference,
    UnavailableError,
    UsageError,
)
from builder.oci import RegistryError as ClientError

if TYPE_CHECKING:
    from builder.oci.distribution import Access, Artifact, Pulled, Pulling, Pushed

T = TypeVar("T")

_TAGS = "registry-tags"  # the cache's records of which digest a tag had


class CachedTags:
    """What the cache knows of tags: the `Memory` of the client."""

    __slots__ = ("_cache",)

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def recall(self, name: str) -> str | None:
        """The digest a tag had when it was last looked up."""
        found = self._cache.record(_TAGS, key_of(name))
        return str(found["digest"]) if found and found.get("name") == name else None

    def remember(self, name: str, digest: str) -> None:
        """Record it. Raises OutputError."""
        self._cache.write_record(_TAGS, key_of(name), {"name": name, "digest": digest})


def access_to(environment: Mapping[str, str], insecure: Collection[str]) -> "Access":
    """How registries are reached. Raises UsageError of the client for a name that is no host."""
    from builder.oci.distribution import Access, parse_insecure

    return Access(dict(environment), parse_insecure(insecure))


@dataclass(frozen=True, slots=True)
class Fetching:
    """Where images of registries are kept, who is told of it, and how registries are reached; offline, not at all."""

    cache: Cache
    console: Console
    environment: Mapping[str, str] = field(repr=False)
    insecure: Collection[str] = ()
    offline: bool = False

    def fetch(self, name: str, work: "Callable[[Reference, Pulling], T]") -> T:
        """Do something with what a name says. Raises the builder's errors."""
        from builder.oci.distribution import Pulling

        with _translated(f"pulling {name}", name, self.insecure):
            reference = Reference.parse_source(name)
            with self.console.transfers("fetch") as progress:
                return work(
                    reference,
                    Pulling(
                        BlobStore(self.cache.blobs),
                        CachedTags(self.cache),
                        access_to(self.environment, self.insecure),
                        offline=self.offline,
                        progress=progress,
                    ),
                )


def pull_image(name: str, platform: str, fetching: Fetching) -> "Pulled":
    """The image `name` for `platform` (`linux/arm64`), fetched into the cache's blobs; offline only looked for there.

    Raises SourceError for a name that is none, RegistryError, ImageError for an image that cannot be used, OutputError.
    """
    from builder.oci.distribution import pull

    pulled = fetching.fetch(name, lambda reference, pulling: pull(reference, Platform.parse(platform), pulling))
    if pulled.choice:
        offered = ", ".join(sorted(str(one) for one in pulled.choice.platforms))
        fetching.console.say(f"{name}: {pulled.choice.platform} chosen of {offered}")
    return pulled


def pull_images(name: str, platforms: Sequence[Platform], fetching: Fetching) -> Descriptor:
    """What `name` leads to, an index or an image, with all its images, or those for some platforms, in the cache.

    Raises as `pull_image`, but does not look at whether the images can be used.
    """
    from builder.oci.distribution import pull_all

    return fetching.fetch(name, lambda reference, pulling: pull_all(reference, platforms, pulling))


def push_image(
    image: Image,
    name: str,
    console: Console,
    *,
    environment: Mapping[str, str],
    insecure: Collection[str] = (),
    base: str | None = None,
    documents: Sequence["Artifact"] = (),
) -> "Pushed":
    """Push an image under `name`, `registry/repository:tag`, with documents about it as referrers.

    `base` is the name of the image it is built on, from whose repository layers are mounted. Raises SourceError for a
    name that is none, RegistryError, ImageError for a damaged blob.
    """
    from builder.oci.distribution import push

    with _translated(f"pushing {name}", name, insecure):
        reference = Reference.parse(name)
        with console.transfers("push") as progress:
            return push(
                image,
                reference,
                access=access_to(environment, insecure),
                mount_from=() if base is None else (Reference.parse_source(base),),
                artifacts=documents,
                progress=progress,
            )


def push_index(
    images: Sequence[Image], name: str, *, environment: Mapping[str, str], insecure: Collection[str] = ()
) -> str:
    """Push an index of images that were pushed to the same repository; gives its digest. Raises as `push_image`."""
    from builder.oci.distribution import push_index

    with _translated(f"pushing {name}", name, insecure):
        return str(push_index(images, Reference.parse(name), access=access_to(environment, insecure)))


def check_push(name: str, *, environment: Mapping[str, str], insecure: Collection[str] = ()) -> None:
    """Ask the registry whether it would take a push of `name`: known host, right login, repository that may be written.

    Raises SourceError for a name that is none, RegistryError.
    """
    from builder.oci.distribution import check_push

    with _translated(f"asking whether {name} can be pushed", name, insecure):
        check_push(Reference.parse(name), access=access_to(environment, insecure))


@contextmanager
def _translated(doing: str, name: str, insecure: Collection[str]) -> Iterator[None]:
    """Give the client's errors as the builder's, with what to do on its command line."""
    try:
        yield
    except UsageError as error:
        raise SourceError(f"{doing}: {error}", hint="Names are like ghcr.io/team/name:1 or name@sha256:….") from error
    except AccessError as error:
        hint = "Credentials are those of `docker login` and `podman login`; see docs/how-to/push-to-a-registry.md."
        raise RegistryError(f"{doing}: {error}", hint=hint) from error
    except ClientError as error:
        hint = ""
        host = Reference.parse_source(name).domain
        if isinstance(error, UnavailableError):
            hint = "What has arrived is kept: trying again goes on from there."
        if "insecure registry" in str(error):
            hint = f"The option is --insecure-registry {host}."
        elif isinstance(error, UnavailableError) and _is_here(host) and host not in insecure:
            hint = f"If it runs there in plain HTTP: --insecure-registry {host}."
        raise RegistryError(f"{doing}: {error}", hint=hint) from error
    except DiskError as error:
        hint = advice(error.errno, elsewhere=ELSEWHERE) or "The cache may be deleted at any time."
        raise OutputError(f"{doing}: {error}", hint=hint) from error
    except OCIError as error:
        raise ImageError(f"{doing}: {error}", hint="Name another image, or make this one again.") from error


def _is_here(host: str) -> bool:
    """Whether a registry's host, `localhost:5000`, is this machine, where registries mostly have no TLS."""
    return host.startswith(("localhost", "127.", "[::1]"))
