"""The image configuration: what runs in a container of the image, and how it came about.

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/config.md. `ImageConfig` is the part a
builder decides; the list of diff_ids comes from the layers when an image is assembled. Rendering is
canonical. Reading keeps the fields named here only: an image that was read keeps its original bytes beside
the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from builder.oci.descriptor import frozen_map, read_digest
from builder.oci.digest import Digest
from builder.oci.errors import UsageError
from builder.oci.jsons import Fields, render_json

EPOCH: Final = "1970-01-01T00:00:00Z"  # a fixed time, so that building twice gives the same bytes


@dataclass(frozen=True, slots=True)
class History:
    """How one layer came about; an `empty_layer` changed the configuration only and has no layer."""

    created_by: str = ""
    created: str = EPOCH
    comment: str = ""
    empty_layer: bool = False

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read from JSON; raises ImageError."""
        return cls(
            created_by=fields.maybe_text("created_by") or "",
            created=fields.maybe_text("created") or EPOCH,
            comment=fields.maybe_text("comment") or "",
            empty_layer=fields.flag("empty_layer"),
        )

    def to_json(self) -> dict[str, object]:
        """Give the value to render as JSON."""
        value: dict[str, object] = {"created": self.created, "created_by": self.created_by}
        if self.comment:
            value["comment"] = self.comment
        if self.empty_layer:
            value["empty_layer"] = True
        return value


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a builder decides about an image.

    `architecture` and `variant` are Go's names (`amd64`; `arm64`, `v8`); `env` keeps its order; `created` is
    RFC 3339 text; `history` is empty or has one entry that is not an `empty_layer` for each layer, lowest
    first.
    """

    architecture: str
    os: str = "linux"
    variant: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    created: str = EPOCH
    history: tuple[History, ...] = ()

    def __post_init__(self) -> None:
        for name in self.env:
            if not name or "=" in name:
                raise UsageError(
                    f"configuring an image: {name!r} cannot name an environment variable; "
                    f"use a name that is not empty and has no '='"
                )
        object.__setattr__(self, "env", frozen_map(self.env))
        object.__setattr__(self, "labels", frozen_map(self.labels))


def render_config(config: ImageConfig, diff_ids: Sequence[Digest]) -> bytes:
    """Render as canonical JSON; raises UsageError where the history does not match the layers."""
    described = sum(not entry.empty_layer for entry in config.history)
    if config.history and described != len(diff_ids):
        raise UsageError(
            f"configuring an image: the history describes {described} layers, the image has {len(diff_ids)}; "
            f"give one entry for each layer, or none at all"
        )
    value: dict[str, object] = {
        "architecture": config.architecture,
        "os": config.os,
        "created": config.created,
        "config": _run_config(config),
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
    }
    if config.variant:
        value["variant"] = config.variant
    if config.history:
        value["history"] = [entry.to_json() for entry in config.history]
    return render_json(value)


def _run_config(config: ImageConfig) -> dict[str, object]:
    fields: dict[str, object] = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Env": [f"{name}={value}" for name, value in config.env.items()],
        "WorkingDir": config.working_dir,
        "User": config.user,
        "Labels": dict(config.labels),
    }
    return {name: value for name, value in fields.items() if value}


def parse_config(data: bytes, where: str) -> tuple[ImageConfig, tuple[Digest, ...]]:
    """Read a configuration and its diff_ids; `where` names it in messages. Raises ImageError.

    An `Env` item without "=" (some tools write them) reads as a variable with an empty value.
    """
    top = Fields.parse(data, where)
    run = top.inner("config")
    rootfs = top.inner("rootfs")
    config = ImageConfig(
        architecture=top.text("architecture"),
        os=top.text("os"),
        variant=top.maybe_text("variant") or "",
        entrypoint=run.texts("Entrypoint"),
        cmd=run.texts("Cmd"),
        env=dict(_env_item(item) for item in run.texts("Env") if not item.startswith("=") and item),
        working_dir=run.maybe_text("WorkingDir") or "",
        user=run.maybe_text("User") or "",
        labels=run.text_map("Labels"),
        created=top.maybe_text("created") or EPOCH,
        history=tuple(History.read(entry) for entry in top.objects("history")),
    )
    return config, tuple(read_digest(text, f"{rootfs.where}: 'diff_ids'") for text in rootfs.texts("diff_ids"))


def _env_item(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value
