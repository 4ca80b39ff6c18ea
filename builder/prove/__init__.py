"""Proving an image: it runs here, sandboxed, and answers its sample events."""

from builder.prove.proof import Answer, Proof, prove, settings_for
from builder.prove.rootfs import DESCRIPTIONS, METHODS, Runnable, runnable

__all__ = ["DESCRIPTIONS", "METHODS", "Answer", "Proof", "Runnable", "prove", "runnable", "settings_for"]
