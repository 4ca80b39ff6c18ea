"""What `--json` and `--plan` print: results and plans as JSON objects. Pure; the key names are an interface."""

from typing import TYPE_CHECKING

from builder.make import Result
from builder.plan import Plan

if TYPE_CHECKING:
    from builder.oci.distribution import Pushed


def describe(result: Result) -> dict[str, object]:
    """The result as the JSON object of --json."""
    plan = result.prepared.plan
    return {
        "image": result.name,
        "digest": result.digest,
        "config_digest": str(result.assembled.image.config_descriptor.digest),
        "reference": result.prepared.reference,
        "architecture": plan.architecture,
        "python": result.prepared.interpreter.full_version,
        "handler": plan.handler,
        "outputs": [str(output) for output in result.prepared.outputs],
        "size": sum(made.layer.descriptor.size for made in result.assembled.layers),
        "layers": [
            {
                "name": made.name,
                "digest": str(made.layer.descriptor.digest),
                "diff_id": str(made.layer.diff_id),
                "size": made.layer.descriptor.size,
                "size_uncompressed": made.layer.size_uncompressed,
                "files": made.files,
                "cached": made.cached,
                "seconds": round(made.seconds, 4),
            }
            for made in result.assembled.layers
        ],
        "proof": {
            "method": result.proven.method,
            "events": len(result.prepared.events),
            "answers": list(result.proven.answers),
        },
        "trimming": {
            "level": result.prepared.config.trim,
            "left_out": sum(len(layer.dropped) for layer in plan.layers),
            "rounds": [{"differences": list(one.differences), "put_back": dict(one.put_back)} for one in result.rounds],
        },
        "steps": [{"name": name, "seconds": round(spent, 4)} for name, spent in result.steps],
        "warnings": list(plan.warnings),
    }


def describe_push(pushed: "Pushed") -> dict[str, object]:
    """What a push did, as a part of the JSON object of --json."""
    return {
        "pushed": {
            "reference": str(pushed.reference),
            "blobs_uploaded": pushed.uploaded,
            "blobs_mounted": pushed.mounted,
            "blobs_present": pushed.present,
            "referrers": [str(digest) for digest in pushed.artifacts],
        }
    }


def describe_plan(plan: Plan) -> dict[str, object]:
    """The Plan as the JSON object of --plan."""
    return {
        "architecture": plan.architecture,
        "entrypoint": list(plan.entrypoint),
        "command": list(plan.command),
        "environment": dict(plan.environment),
        "working_folder": plan.working_folder,
        "layers": [
            {
                "name": layer.name,
                "files": [
                    {
                        "path": f"/{file.path}",
                        "how": file.how.value,
                        "from": file.source,
                        "size": file.size,
                        "mode": f"{file.mode:04o}",
                        "why": file.why,
                    }
                    for file in layer.files
                ],
                "dropped": [{"path": f"/{path}", "why": why} for path, why in sorted(layer.dropped.items())],
            }
            for layer in plan.layers
        ],
        "warnings": list(plan.warnings),
    }
