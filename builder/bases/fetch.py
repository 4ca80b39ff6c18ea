"""`--base` → an image whose layers lie in the cache's blob store, gzipped, whatever form the base came in.

So a build that keeps the base writes them as they are, and the same base gives the same layers: what was gzip stays
the bytes it was, what was a plain tar (`docker save`) is compressed as our own layers are. Every byte is checked
against its digest on the way. Never looks into a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from builder.bases.choice import BaseName
from builder.cache import ELSEWHERE, Cache, key_of, mark_used
from builder.console import Console
from builder.disk import advice, disk
from builder.errors import BaseError, OutputError
from builder.interpreter import this_platform
from builder.layer_records import parse_layer, render_layer
from builder.oci import (
    BlobError,
    BlobStore,
    DiskError,
    Image,
    Layer,
    OCIError,
    Platform,
    adopt_layer,
    read_archive,
    read_layout,
)
from builder.oci.image import render_manifest


@dataclass(frozen=True, slots=True)
class Asked:
    """Which base, for which platform (`linux/arm64`, None for whatever it has), with or without the network.

    `insecure` are registries that are spoken to without TLS.
    """

    name: BaseName
    platform: str | None
    offline: bool = False
    insecure: tuple[str, ...] = ()


def fetch_base(asked: Asked, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Image:
    """The base as an image of which every layer is in the cache.

    Raises BaseError, RegistryError, DockerError, and OutputError for the disk.
    """
    doing = f"reading the base {asked.name}"
    try:
        with disk(doing, elsewhere=ELSEWHERE):
            return _fetch(asked, cache, console, environment)
    except DiskError as error:
        raise OutputError(f"{doing}: {error}", hint=advice(error.errno, elsewhere=ELSEWHERE)) from error
    except OCIError as error:
        raise BaseError(f"{doing}: {error}", hint="Check the name, or make or fetch the base again.") from error


def _fetch(asked: Asked, cache: Cache, console: Console, environment: Mapping[str, str]) -> Image:
    wanted = Platform.parse(asked.platform) if asked.platform else None
    match asked.name.kind:
        case "oci":
            folder, tag = _split(asked.name.target)
            return stored(read_layout(folder, ref_name=tag, platform=wanted), cache)
        case "tar":
            file, tag = _split(asked.name.target)
            return stored(read_archive(file, tag=tag, platform=wanted), cache)
        case "docker":
            return _from_engine(asked, cache)
        case _:
            return _from_registry(asked, cache, console, environment)


def _split(target: str) -> tuple[Path, str | None]:
    """`DIR` or `DIR:TAG`: a colon is part of the path where such a path is there."""
    head, colon, tag = target.rpartition(":")
    if colon and not Path(target).exists() and Path(head).exists():
        return Path(head), tag
    return Path(target), None


def _from_engine(asked: Asked, cache: Cache) -> Image:
    """The image of the Docker Engine, asked for only when its id is new: an id names all of an image."""
    from builder.daemon import image_id, save

    found = image_id(asked.name.target)
    held = cache.tree("engine", key_of("engine image", found), lambda folder: save(found, folder / "image.tar"))
    return stored(read_archive(held / "image.tar"), cache)


def _from_registry(asked: Asked, cache: Cache, console: Console, environment: Mapping[str, str]) -> Image:
    from builder.registry import Fetching, pull_image

    pulled = pull_image(
        asked.name.target,
        asked.platform or this_platform(),
        Fetching(cache, console, environment, insecure=asked.insecure, offline=asked.offline),
    )
    if asked.platform is None or "@" not in asked.name.target:
        console.detail(f"{asked.name} is {pulled.pinned}")
    return stored(pulled.image, cache)


def stored(image: Image, cache: Cache) -> Image:
    """The same image with every layer gzipped and in the cache's store. Raises OCIError."""
    store = BlobStore(cache.blobs)
    layers = tuple(_stored(image, layer, store, cache) for layer in image.layers)
    same = [layer.descriptor for layer in layers] == [layer.descriptor for layer in image.layers]
    manifest = image.manifest if same else render_manifest(image.raw_config, layers, {})
    return replace(image, layers=layers, manifest=manifest, blobs=store)


def _stored(image: Image, layer: Layer, store: BlobStore, cache: Cache) -> Layer:
    """One layer, found in the store when it was put there before."""
    key = key_of("base layer", layer.descriptor.media_type, str(layer.descriptor.digest), str(layer.diff_id))
    record = cache.record("layers", key)
    known = parse_layer(record) if record else None
    if known is not None and is_stored(known, store):
        return known
    made = adopt_layer(image, layer, store)
    cache.write_record("layers", key, render_layer(made))
    return made


def is_stored(layer: Layer, store: BlobStore) -> bool:
    """Whether a layer is in the store, unharmed; marks it as used."""
    try:
        store.verify(layer.descriptor)
    except (BlobError, DiskError):
        return False
    mark_used(store.path(layer.descriptor.digest))
    return True
