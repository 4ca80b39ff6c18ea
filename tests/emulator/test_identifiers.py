"""Ids have the platform's forms, and none comes twice."""

from __future__ import annotations

import re
import uuid

from emulator.identifiers import Identifiers

COUNT = 1000  # more than are taken at a time


def test_request_ids_are_random_uuids() -> None:
    """Version 4, RFC 9562's variant, all different."""
    source = Identifiers()
    ids = [source.request_id() for _ in range(COUNT)]
    assert len(set(ids)) == COUNT
    for one in ids:
        assert str(uuid.UUID(one)) == one
        assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (4, uuid.RFC_4122)


def test_trace_ids_have_the_documented_shape() -> None:
    """Version, time, 96 bits; the parent's 64; all different."""
    source = Identifiers()
    ids = [source.trace_id() for _ in range(COUNT)]
    assert len(set(ids)) == COUNT
    for one in ids:
        assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", one)
