"""Several platforms in one call: a build for each, and what its outputs are called. Pure.

Each image is a whole image of one platform, as Lambda wants it; names get the architecture at their end, as they do in
the tags of most registries: `oci:dist/hello` becomes `oci:dist/hello-amd64`, `tar:hello.tar` becomes
`tar:hello-arm64.tar`, the tag `1.0` becomes `1.0-arm64`.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import overload

from builder.config import Config
from builder.outputs import Output, parse_reference

_SUFFIXES = {"tar": ".tar", "zip": ".zip"}


def each_platform(config: Config) -> list[Config]:
    """A Config for each platform asked for, in the order of asking; one that leaves it open when none was."""
    asked = tuple(dict.fromkeys(platform.removesuffix("/v8") for platform in config.platforms))
    return [replace(config, platform=platform) for platform in asked or (None,)]


def named_outputs(outputs: Iterable[Output], config: Config) -> tuple[Output, ...]:
    """The outputs under the names that this platform's image gets."""
    if not is_one_of_several(config):
        return tuple(outputs)
    return tuple(replace(output, target=suffixed(output, architecture_of(config))) for output in outputs)


def asked_reference(config: Config, name: str = "") -> str:
    """The reference, `name:tag`, that was asked for, or else that of `name`. Raises SourceError for what is none."""
    return ":".join(parse_reference(config.tag or name, origin=config.origins.get("tag") or "--tag"))


def named_reference(reference: str, config: Config) -> str:
    """The reference, `name:tag`, that this platform's image gets."""
    return f"{reference}-{architecture_of(config)}" if is_one_of_several(config) else reference


def is_one_of_several(config: Config) -> bool:
    """Whether other platforms are built besides."""
    return len(each_platform(config)) > 1


def architecture_of(config: Config) -> str:
    """`arm64` of `linux/arm64`."""
    return (config.platform or "").rpartition("/")[2]


def suffixed(output: Output, architecture: str) -> str:
    """The output's target for one architecture; a known file ending stays at the end."""
    if not output.target:
        return ""
    path = PurePosixPath(output.target)
    ending = _SUFFIXES.get(output.kind, "")
    stem = path.name.removesuffix(ending)
    return str(path.with_name(f"{stem}-{architecture}{ending if stem != path.name else ''}"))


@overload
def own_file(file: Path, architecture: str) -> Path: ...
@overload
def own_file(file: Path | None, architecture: str) -> Path | None: ...
def own_file(file: Path | None, architecture: str) -> Path | None:
    """The file under the name for one architecture: `report.html` becomes `report-arm64.html`; "" changes nothing."""
    return file.with_stem(f"{file.stem}-{architecture}") if file and architecture else file
