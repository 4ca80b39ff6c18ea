"""How an image was made, as an in-toto statement with a SLSA v1 predicate.

Source: https://slsa.dev/spec/v1.0/provenance, https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md.
It is a claim of the build itself, unsigned: sign it with cosign where it has to be believed. It names no path and no
variable of the machine.
"""

from collections.abc import Mapping, Sequence

from builder.attest.parts import Part
from builder.oci.jsons import render_json

PROVENANCE_TYPE = "application/vnd.in-toto+json"

# Types are names, not addresses: nothing is served there.
_BUILD_TYPE = "urn:firkin:build-image:v1"
_BUILDER = "urn:firkin:build-image"


def render_provenance(
    *,
    name: str,
    digest: str,
    settings: Mapping[str, object],
    parts: Sequence[Part],
    inputs: Mapping[str, str],
    source: Mapping[str, str],
    firkin: str,
) -> bytes:
    """The statement about the image `name`@`digest`.

    `settings` are what was asked for, `inputs` map a file that decided the result (a lock) to its SHA-256, `source` is
    the repository and revision, where they are known.
    """
    materials: list[dict[str, object]] = [
        {"uri": part.purl, **({"digest": {"sha256": part.sha256}} if part.sha256 else {})} for part in parts
    ]
    materials += [{"name": file, "digest": {"sha256": found}} for file, found in sorted(inputs.items())]
    if source:
        materials.append({"uri": source.get("source", ""), "digest": {"gitCommit": source.get("revision", "")}})
    return render_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": _BUILD_TYPE,
                    "externalParameters": dict(settings),
                    "resolvedDependencies": materials,
                },
                "runDetails": {"builder": {"id": _BUILDER, "version": {"firkin": firkin}}},
            },
        }
    )
