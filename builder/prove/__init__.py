"""Proving an image: it runs here, sandboxed, and answers its sample events."""

from builder.prove.foreign import NATIVE, runner_of
from builder.prove.proof import Answer, Proof, prove, prove_program
from builder.prove.rootfs import (
    DESCRIPTIONS,
    METHODS,
    Contents,
    Runnable,
    best_method,
    contents_of,
    extensions_of,
    runnable,
    runnable_contents,
)
from builder.prove.runs import settings_for
from builder.prove.unpacked import unpack_layer, unpack_tar

__all__ = [
    "DESCRIPTIONS",
    "METHODS",
    "NATIVE",
    "Answer",
    "Contents",
    "Proof",
    "Runnable",
    "best_method",
    "contents_of",
    "extensions_of",
    "prove",
    "prove_program",
    "runnable",
    "runnable_contents",
    "runner_of",
    "settings_for",
    "unpack_layer",
    "unpack_tar",
]
