"""Layers as records of the cache, and back. Pure."""

from builder.oci import Descriptor, Digest, Layer, OCIError


def render_layer(layer: Layer) -> dict[str, object]:
    """A layer as a record of the cache."""
    return {
        "media_type": layer.descriptor.media_type,
        "digest": str(layer.descriptor.digest),
        "size": layer.descriptor.size,
        "diff_id": str(layer.diff_id),
        "size_uncompressed": layer.size_uncompressed,
    }


def parse_layer(record: dict[str, object]) -> Layer | None:
    """The layer of a record, None when it is not one."""
    match record:
        case {
            "media_type": str(media_type),
            "digest": str(digest),
            "size": int(size),
            "diff_id": str(diff_id),
            "size_uncompressed": int(uncompressed),
        }:
            try:
                return Layer(Descriptor(media_type, Digest.parse(digest), size), Digest.parse(diff_id), uncompressed)
            except OCIError:
                return None
    return None
