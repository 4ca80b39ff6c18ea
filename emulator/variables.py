"""The environment variables a runtime finds. Pure; it reads nobody's environment and changes none.

Names are from Lambda's "reserved environment variables"; values that have no source here are those of AWS's emulator.
What the user set wins everywhere but in the address of the Runtime API and the memory size in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import FUNCTION_NAME, FUNCTION_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .values import Settings

ACCOUNT = "012345678912"
REGION = "us-east-1"


def runtime_environment(settings: Settings, *, runtime_api: str, cwd: str) -> dict[str, str]:
    """All variables of the runtime's process. `runtime_api` is host:port; `cwd` is where it will run."""
    user = settings.environment
    region = user.get("AWS_REGION") or user.get("AWS_DEFAULT_REGION") or REGION
    defaults = {
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": FUNCTION_VERSION,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/Functions",
        "AWS_LAMBDA_LOG_STREAM_NAME": "$LATEST",
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": cwd,
        "TZ": ":UTC",
    }
    if len(settings.command) > 1:
        # Runtimes that take no argument read the handler here; AWS's emulator gives them the command's last
        # word too.
        defaults["_HANDLER"] = settings.command[-1]
    elif user.get("AWS_LAMBDA_FUNCTION_HANDLER"):
        defaults["_HANDLER"] = user["AWS_LAMBDA_FUNCTION_HANDLER"]
    if settings.max_concurrency is not None:
        defaults["AWS_LAMBDA_INITIALIZATION_TYPE"] = "lambda-managed-instances"
    ours = {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
    }
    return {**defaults, **user, **ours}


def function_arn(environment: Mapping[str, str]) -> str:
    """The function's ARN, from its name and region in a runtime's variables."""
    name = environment.get("AWS_LAMBDA_FUNCTION_NAME") or FUNCTION_NAME
    return f"arn:aws:lambda:{environment.get('AWS_REGION') or REGION}:{ACCOUNT}:function:{name}"
