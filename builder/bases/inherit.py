"""What an image takes over from its base's configuration: environment, user, labels. Pure.

A kept base stays what its makers set up: its environment stands, but for what the runtime needs, and its PATH gets ours
at the end. A flattened base's folders are gone, so what points into them goes too. The working folder is always the
function's. Labels that describe the base itself (`org.opencontainers.image.*`) would be wrong for the image.
"""

from collections.abc import Mapping

from builder.oci import ImageConfig
from builder.plan import image_environment

DESCRIBING = "org.opencontainers.image."

# Variables that name places of the base, or say how its makers built its Python.
_OF_PLACES = frozenset(
    ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
)
_OF_MAKING = frozenset(
    ("GPG_KEY", "PYTHON_VERSION", "PYTHON_SHA256", "PYTHON_PIP_VERSION", "PYTHON_SETUPTOOLS_VERSION")
)
_OF_MAKING |= {"PYTHON_GET_PIP_URL", "PYTHON_GET_PIP_SHA256"}

_OURS = ("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")


def inherited_environment(config: ImageConfig, *, kept: bool) -> dict[str, str]:
    """The environment of an image on this base."""
    ours, theirs = image_environment(), dict(config.env)
    if not kept:
        return {
            **{name: value for name, value in theirs.items() if name not in _OF_PLACES | _OF_MAKING},
            **_fixed(ours, theirs),
        }
    folders = dict.fromkeys((*theirs.get("PATH", "").split(":"), *ours["PATH"].split(":")))
    return {**theirs, **_fixed(ours, theirs), "PATH": ":".join(folder for folder in folders if folder)}


def _fixed(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Ours, but for what the base sets and may: its time zone."""
    return {name: value for name, value in ours.items() if name in _OURS or name == "PATH" or name not in theirs}


def inherited_user(config: ImageConfig, *, kept: bool) -> str:
    """The user, where its name is known in the image; Lambda ignores it, other engines do not."""
    return config.user if kept or config.user.replace(":", "").isdigit() else ""


def inherited_labels(config: ImageConfig) -> dict[str, str]:
    """Labels that stay true."""
    return {name: value for name, value in config.labels.items() if not name.startswith(DESCRIBING)}
