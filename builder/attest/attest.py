"""Both documents about one result of a build: the hand that gathers what the pure halves need."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from builder.attest.base_parts import base_owners, base_parts
from builder.attest.parts import collect_parts
from builder.attest.provenance import render_provenance
from builder.attest.sbom import render_sbom
from builder.config import Config
from builder.dependencies import DECLARATIONS
from builder.labels import PREFIX
from builder.make import Result
from builder.oci import Reference
from builder.plan import Foundation


@dataclass(frozen=True, slots=True)
class Attested:
    """What can be said of an image, as the bytes to write or to push."""

    sbom: bytes
    provenance: bytes


def attest(result: Result) -> Attested:
    """The documents about an image that was built."""
    plan, config = result.prepared.plan, result.prepared.config
    name = Reference.parse(result.prepared.reference).familiar.rpartition(":")[0]
    firkin = version("firkin")
    base = result.prepared.base
    owners = partial(base_owners, root=base.tree) if base is not None else None
    parts = collect_parts(plan, python=result.prepared.interpreter.full_version, firkin=firkin, owners=owners)
    if base is not None and plan.foundation is not None:
        named = "base" if plan.foundation.is_local else plan.foundation.name
        kept = base_parts(named, plan.foundation.digest, base.tree)
        parts += tuple(kept if base.kept else kept[:1])
    return Attested(
        sbom=render_sbom(parts, name=name, digest=result.digest, created_s=plan.created_s),
        provenance=render_provenance(
            name=name,
            digest=result.digest,
            settings=_settings(config, plan.handler, plan.foundation),
            parts=parts,
            inputs=_inputs(config),
            source=_source(plan.labels),
            firkin=firkin,
        ),
    )


def _settings(config: Config, handler: str, foundation: Foundation | None) -> Mapping[str, object]:
    """What was asked for and decides the image; values of variables may be secrets and are left out."""
    return {
        "handler": handler,
        "base": config.base.partition(":")[0] if foundation and foundation.is_local else config.base,
        "engine": config.engine,
        "trim": config.trim,
        "keep": list(config.keep),
        "drop": list(config.drop),
        "env": sorted(text.partition("=")[0] for text in config.variables),
    }


def _inputs(config: Config) -> Mapping[str, str]:
    files = [config.source / name for name in (*DECLARATIONS, ".dockerignore")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def _source(labels: Mapping[str, str]) -> Mapping[str, str]:
    names = ("source", "revision")
    found = {name: labels.get(PREFIX + name, "") for name in names}
    return found if found["revision"] else {}
