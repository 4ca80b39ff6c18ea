"""Layers of an image from elsewhere, taken into a store of our own: every one as gzip, under a digest we have checked.

A gzip layer keeps its bytes and so its digest; a plain tar, as `docker save` writes it, is compressed as our own layers
are. Lambda takes gzip only, and refuses an image that mixes kinds. It never unpacks a layer.
"""

from dataclasses import replace
from functools import partial

from builder.oci import media_types
from builder.oci.blobs import BlobStore
from builder.oci.errors import UnsupportedError
from builder.oci.gzip_writer import GzipWriter, usable_cores
from builder.oci.image import Image
from builder.oci.layer import Layer
from builder.oci.layer_reader import Budget, LayerReader, Limits
from builder.oci.streams import Sink, chunks


def adopt_layer(image: Image, layer: Layer, store: BlobStore, *, limits: Limits | None = None) -> Layer:
    """Have a layer of the image in the store, as gzip, with its size; both of its digests are checked.

    Raises UnsupportedError for another compression, BlobError for wrong bytes, LimitError for a bomb, DiskError.
    """
    budget = Budget(limits or Limits())
    match layer.descriptor.media_type:
        case media_types.LAYER_TAR:
            return _compressed(image, layer, store, budget)
        case media_types.LAYER_GZIP:
            store.add(partial(_copy, image, layer), media_type=media_types.LAYER_GZIP)
            return _measured(layer, store, budget)
        case kind:
            raise UnsupportedError(
                f"reading layer {layer.descriptor.digest}: its type is {kind!r}; "
                f"convert the image to OCI with gzip layers"
            )


def _copy(image: Image, layer: Layer, sink: Sink) -> None:
    with image.open_layer(layer) as blob:
        for data in chunks(blob):
            sink.write(data)


def _measured(layer: Layer, store: BlobStore, budget: Budget) -> Layer:
    with store.open(layer.descriptor) as blob:
        LayerReader(blob, layer, budget).finish()
    return replace(layer, size_uncompressed=budget.bytes)


def _compressed(image: Image, layer: Layer, store: BlobStore, budget: Budget) -> Layer:
    def write(sink: Sink) -> None:
        with image.open_layer(layer) as blob, GzipWriter(sink, threads=usable_cores()) as gzip:
            tar = LayerReader(blob, layer, budget)
            for data in chunks(tar):
                gzip.write(data)
            tar.finish()

    descriptor = store.add(write, media_type=media_types.LAYER_GZIP)
    return Layer(descriptor, layer.diff_id, budget.bytes)
