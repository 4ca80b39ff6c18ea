"""The rules about an image as a whole: its manifest, its configuration, its environment. Pure."""

import re
from collections.abc import Iterator

from builder.lint.finding import Finding
from builder.lint.secrets import is_secret_variable, secrets_in_text
from builder.lint.subject import Subject

_ARCHITECTURES = ("amd64", "arm64")
_MAX_LAYERS = 127  # Docker's and the kernel's overlay limit
_MAX_ITEMS, _MAX_FOLDER_CHARS = 1500, 1000  # Lambda API, ImageConfig
_MAX_ENVIRONMENT_BYTES = 4096  # Lambda quotas: 4 KB for all variables together
_DOCKER, _OCI = "application/vnd.docker.", "application/vnd.oci."
_GZIP = re.compile(r"(?:\+gzip|\.tar\.gzip)$")
_FOREIGN = ".foreign."

# AWS's "Defined runtime environment variables": the reserved ones, and what the platform sets for each environment.
_RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_DEFAULT_REGION|AWS_REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_(?:FUNCTION_\w+|LOG_\w+"
    r"|INITIALIZATION_TYPE|RUNTIME_API|MAX_CONCURRENCY)|AWS_ACCESS_KEY(?:_ID)?|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN"
)


def check_image(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the manifest, the configuration and the environment."""
    config = subject.config
    if subject.listed:
        yield Finding("single-manifest", f"it lists {len(subject.listed)}: {', '.join(subject.listed[:5])}")
    if config.os != "linux" or config.architecture not in _ARCHITECTURES:
        yield Finding("platform", f"it says {config.os}/{config.architecture}")
    yield from _check_types(subject)
    if len(subject.layers) > _MAX_LAYERS:
        yield Finding("layer-count", f"it has {len(subject.layers)}")
    yield from _check_command(subject)
    yield from _check_environment(subject)
    for entry in config.history:
        for what in secrets_in_text(f"{entry.created_by} {entry.comment}"):
            yield Finding("secret-in-history", f"a line of it: {what}")


def _check_types(subject: Subject) -> Iterator[Finding]:
    families = {next((one for one in (_DOCKER, _OCI) if kind.startswith(one)), kind) for kind in subject.types}
    if len(families) > 1:
        yield Finding("media-types", f"found {', '.join(sorted(set(subject.types)))}")
    for layer, kind in zip(subject.layers, subject.types[2:], strict=False):  # none where the format has none
        if not _GZIP.search(kind) or _FOREIGN in kind:
            yield Finding("layer-compression", f"layer {layer.descriptor.digest} is {kind!r}")


def _check_command(subject: Subject) -> Iterator[Finding]:
    config = subject.config
    for name, items in (("ENTRYPOINT", config.entrypoint), ("CMD", config.cmd)):
        if len(items) > _MAX_ITEMS:
            yield Finding("command-limits", f"{name} has {len(items)} items")
    if len(config.working_dir) > _MAX_FOLDER_CHARS:
        yield Finding("command-limits", f"WORKDIR has {len(config.working_dir)} characters")
    if config.user and config.user not in {"0", "root"}:
        yield Finding("user", f"it says {config.user!r}")


def _check_environment(subject: Subject) -> Iterator[Finding]:
    variables = subject.config.env
    size = sum(len(name.encode()) + len(value.encode("utf-8", "surrogateescape")) for name, value in variables.items())
    if size > _MAX_ENVIRONMENT_BYTES:
        yield Finding("environment-size", f"its {len(variables)} variables have {size} bytes")
    for name, value in variables.items():
        if _RESERVED.fullmatch(name):
            yield Finding("reserved-variable", f"{name} is set")
        known = list(secrets_in_text(value))
        if known:
            yield Finding("secret-in-environment", f"{name}: {known[0]}")
        elif is_secret_variable(name, value):
            yield Finding("secret-in-environment", f"{name} has a value of {len(value)} characters")
