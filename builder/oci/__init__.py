"""OCI images as immutable values: made of files, written to and read from layouts and archives, unpacked.

A source (`read_layout`, `read_archive`) or `Image.assemble` gives an `Image`; a sink (`write_layout`,
`write_archive`, `unpack`) takes any. Layers are written by `write_layer`, usually into a `BlobStore`::

    store = BlobStore(cache)
    layer = store.add_layer([Entry.file("var/task/app.py", Path("app.py"))])
    image = Image.assemble(ImageConfig("amd64", cmd=("app.handler",)), [layer], blobs=store)
    write_layout(image, Path("image"), ref_name="latest")

Registries are in `builder.oci.distribution`, which loads httpx. All errors are `OCIError`s. This package knows
nothing of AWS Lambda and imports nothing else of the builder.
"""

from builder.oci import media_types
from builder.oci.adopt import adopt_layer
from builder.oci.archive import read_archive, write_archive
from builder.oci.blobs import BlobStore, FolderBlobs
from builder.oci.config import History, ImageConfig
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.entry import Entry, EntryKind
from builder.oci.errors import (
    AccessError,
    BlobError,
    DiskError,
    ImageError,
    LimitError,
    NotFoundError,
    OCIError,
    ProtocolError,
    RegistryError,
    SourceError,
    TargetError,
    UnavailableError,
    UnsupportedError,
    UsageError,
)
from builder.oci.held_tar import HeldTar, hold_tar
from builder.oci.image import Blobs, Image
from builder.oci.layer import Layer, write_layer
from builder.oci.layer_reader import Limits
from builder.oci.layout import read_layout, write_index_layout, write_layout
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.oci.streams import CheckedBlob, Sink, Source
from builder.oci.tar_writer import write_tar
from builder.oci.unpack import Unpacked, Watch, unpack, unpack_held
from builder.oci.zip_file import unpack_zip, write_zip

__all__ = [
    "AccessError",
    "BlobError",
    "BlobStore",
    "Blobs",
    "CheckedBlob",
    "Descriptor",
    "Digest",
    "DiskError",
    "Entry",
    "EntryKind",
    "FolderBlobs",
    "HeldTar",
    "History",
    "Image",
    "ImageConfig",
    "ImageError",
    "Layer",
    "LimitError",
    "Limits",
    "NotFoundError",
    "OCIError",
    "Platform",
    "ProtocolError",
    "Reference",
    "RegistryError",
    "Sink",
    "Source",
    "SourceError",
    "TargetError",
    "UnavailableError",
    "Unpacked",
    "UnsupportedError",
    "UsageError",
    "Watch",
    "adopt_layer",
    "hold_tar",
    "media_types",
    "read_archive",
    "read_layout",
    "unpack",
    "unpack_held",
    "unpack_zip",
    "write_archive",
    "write_index_layout",
    "write_layer",
    "write_layout",
    "write_tar",
    "write_zip",
]
