"""The comparison of an edited function's image with the untrimmed function, on what the build before left unpacked.

Puts nothing back: what differs is for `settle` to mend, which is why the answer may be that there is no proof.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from builder.assemble import Assembled
from builder.cache import Cache, key_of
from builder.oci import Blobs, Layer
from builder.prove.proof import Proof
from builder.prove.rootfs import best_method, contents_of
from builder.prove.unpacked import unpacked_layers
from builder.prove.untrimmed import folder_again
from builder.settle import FORMAT, Trimming, asked, compare


@dataclass(frozen=True, slots=True)
class Ground:
    """What both runs stand on: the unpacked layers below the function's by their diff_id, and what was left out."""

    layers: Mapping[str, Path]
    rest: Path
    key: str  # of `rest`


def ground_of(layers: Iterable[Layer], rest: str, blobs: Blobs, cache: Cache) -> Ground:
    """Look whether all of it is as it was left; `rest` is a key. Raises ImageError and OutputError where it is not."""
    return Ground(unpacked_layers(layers, blobs, cache), folder_again(rest, cache), rest)


def confirm(trimming: Trimming, assembled: Assembled, ground: Ground) -> Proof | None:
    """The proof that the image does what it does with what was left out; None where that differs.

    Raises ProofError when both fail.
    """
    cache, image = trimming.cache, assembled.image
    trimming = replace(trimming, method=best_method(cache))
    key = key_of(
        "confirmed", FORMAT, trimming.method, trimming.volatile, asked(trimming.events), str(image.digest), ground.key
    )
    if cache.record("settled", key) is not None:
        return trimming.proof((), remembered=True)
    answers, found = compare(trimming, contents_of(image, cache, ground.layers), ground.rest)
    if found:
        return None
    cache.write_record("settled", key, {"answers": len(answers)})
    return trimming.proof(answers)
