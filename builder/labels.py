"""The labels of an image: `org.opencontainers.image.*` out of the project's table and its git history, and others.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md. The history is asked for the function's
folder alone, so that a commit elsewhere in the repository gives the same image. Never changes a repository, and runs
nothing that a repository's own settings name.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import SourceError

PREFIX = "org.opencontainers.image."
MAX_TEXT_CHARS = 500  # of one value taken from pyproject.toml
GIT_TIMEOUT_S = 10

_SSH = re.compile(r"^(?:ssh://)?(?:[\w.-]+@)?(?P<host>[\w.-]+\.\w+)[:/](?P<path>[\w./~-]+)$")
_HOST = re.compile(r"[\w.-]+")

# A repository may name programs that git runs for it; none is needed for two questions.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def image_labels(
    source: Path, pyproject: Mapping[str, object], asked: Iterable[str], *, environment: Mapping[str, str]
) -> dict[str, str]:
    """All labels, sorted; `asked` are NAME=VALUE and come last. Raises SourceError for one that is not."""
    labels = {**project_labels(pyproject), **git_labels(source, environment), **parse_pairs(asked, "a label")}
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def parse_pairs(asked: Iterable[str], what: str) -> dict[str, str]:
    """NAME=VALUE, each name once or the last one counts. Raises SourceError; `what` names the kind in it."""
    pairs: dict[str, str] = {}
    for text in asked:
        name, equals, value = text.partition("=")
        if not equals or not name or not name.isprintable() or "\0" in value:
            raise SourceError(f"reading {what}: {text!r} is not NAME=VALUE", hint="For example TEAM=payments.")
        pairs[name] = value
    return pairs


def project_labels(pyproject: Mapping[str, object]) -> dict[str, str]:
    """What [project] says of title, version, description, licence, authors and home."""
    project = pyproject.get("project")
    if not isinstance(project, dict):
        return {}
    urls = {str(name).lower(): url for name, url in _table(project.get("urls")).items()}
    people = project.get("authors")
    authors = [_person(one) for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    licence = project.get("license")
    found = {
        "title": project.get("name"),
        "version": project.get("version"),
        "description": project.get("description"),
        "licenses": licence if isinstance(licence, str) else "",  # a table holds a text, not an expression
        "authors": ", ".join(filter(None, authors)),
        "url": urls.get("homepage") or urls.get("home"),
        "documentation": urls.get("documentation"),
        "source": urls.get("source") or urls.get("repository"),
    }
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    return {PREFIX + name: " ".join(text.split())[:MAX_TEXT_CHARS] for name, text in texts.items() if text.strip()}


def _table(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}


def _person(entry: Mapping[str, object]) -> str:
    name, mail = entry.get("name", ""), entry.get("email", "")
    return f"{name} <{mail}>".strip() if name and mail else str(name or mail)


def git_labels(source: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The last commit that changed the folder, and where it is from; nothing without git, or for changed files."""
    if _top(source) is None:
        return {}
    changed = _git(source, environment, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    commit = _git(source, environment, "log", "-1", "--format=%H", "--", ".")
    if changed or not commit:  # there is what no commit holds, or git does not answer
        return {}
    origin = _git(source, environment, "config", "--get", "remote.origin.url") or ""
    found = {PREFIX + "revision": commit, PREFIX + "source": public_url(origin)}
    return {name: value for name, value in found.items() if value}


def git_files(source: Path) -> list[Path]:
    """The files of a repository that change with whatever `git_labels` asks for; none without a repository."""
    top = _top(source)
    if top is None:
        return []
    folder = top / ".git"
    if folder.is_file():  # a work tree beside its repository: one line, `gitdir: FOLDER`
        folder = top / folder.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
    return [folder / name for name in ("HEAD", "index", "logs/HEAD", "config", "commondir")]


def _top(source: Path) -> Path | None:
    return next((place for place in (source.absolute(), *source.absolute().parents) if (place / ".git").exists()), None)


def public_url(origin: str) -> str:
    """The address of a repository for a browser, without credentials; "" for a folder of this machine."""
    if found := _SSH.match(origin):
        return f"https://{found['host']}/{found['path'].lstrip('/').removesuffix('.git')}"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host):
        return ""
    return f"{parts.scheme}://{host}{port}{parts.path.removesuffix('.git')}"


def _git(source: Path, environment: Mapping[str, str], *arguments: str) -> str | None:
    """What git answers, None when it does not."""
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*_GIT, "-C", os.fspath(source), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=GIT_TIMEOUT_S, check=False, env={**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
