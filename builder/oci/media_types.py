"""The media types of the OCI image specification 1.0 that this library writes and reads.

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/media-types.md. It never mixes them with
Docker's: an image has one family throughout.
"""

from typing import Final

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TAR: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
