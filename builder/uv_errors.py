"""What uv complains about → what to do: its words as an error that names the package, the target and the way out.

A table, tried in order, the surest sign first; what none of its rows knows still becomes a DependencyError with uv's
own words. Written from the output of uv 0.13 (the full disk's is a guess); tests run the real uv, so that a change of
its words is seen. Never runs uv.
"""

import re

from builder.errors import DependencyError

_NO_WHEEL = "no wheel of {package} fits {target}"
_WHEELS_ONLY = (
    "Only wheels are installed, nothing is compiled. Pick a version of {package} that has a wheel for it, another "
    "--python, or build one (uv build --wheel) and name its file."
)
_LOCK_AGAIN = "Lock again with uv lock, or correct the file as uv says."

# (what uv says, what we say, what to do). The named groups go into message and hint.
_CAUSES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), message, hint)
    for pattern, message, hint in (
        (
            r"Hash mismatch for `(?P<package>[^`]+)`",
            "the file of {package} does not have the hash that is written down",
            "Somebody changed the file or the lock: find out who, then lock again.",
        ),
        (
            r"No space left on device",
            "the disk is full",
            "Free some space, or put the cache elsewhere with BUILD_IMAGE_CACHE_DIR.",
        ),
        (
            r"lockfile at `[^`]*` needs to be updated",
            "it does not fit pyproject.toml any more",
            "Run uv lock, look at the change, and build again.",
        ),
        (
            r"resolved to Python (?P<python>[^\s,]+), which is incompatible with .*?requirement: `(?P<wanted>[^`]+)`",
            "it needs Python {wanted}, and {python} would be shipped",
            "Name another interpreter with --python.",
        ),
        (r"(?:Failed to parse `uv\.lock`|Not a valid `pylock\.toml` file)", "it is damaged", _LOCK_AGAIN),
        (r"No `pyproject\.toml` found", "there is no pyproject.toml beside it", "Put back the project's file."),
        (
            r"Couldn't parse requirement in `(?P<file>[^`]+)`",
            "a line of {file} is no requirement",
            "Correct the line that uv shows; the form is name==version.",
        ),
        (
            r"In `--require-hashes` mode, all requirements must have [^:]*: (?P<package>\S+)",
            "{package} has no hash, and others have",
            "Lock again, so that every line has its version and its hashes.",
        ),
        (
            r"\((?P<status>401 Unauthorized|403 Forbidden)\)",
            "the package index refused: {status}",
            "Check the credentials that uv is given, for example UV_INDEX_NAME_PASSWORD.",
        ),
        (
            r"(?P<package>[\w.-]+) was not found in the cache",
            "{package} is not in uv's cache, and --offline forbids to fetch it",
            "Build once without --offline.",
        ),
        (
            r"(?:network was disabled|[Nn]etwork connectivity is disabled|network is disabled)",
            "a package is not in uv's cache, and --offline forbids to fetch it",
            "Build once without --offline.",
        ),
        (
            r"(?P<package>[\w.-]+) was not found in the (?:package registry|provided package locations)",
            "{package} was not found",
            "Check the spelling and the package index.",
        ),
        (r"Wheels are required for `(?P<package>[^`]+)` because building", _NO_WHEEL, _WHEELS_ONLY),
        (
            r"(?:are available|only found wheels) for `(?P<package>[^`]+)` \([^)]*\) (?:on|with)",
            _NO_WHEEL,
            _WHEELS_ONLY,
        ),
        (r"Package `(?P<package>[^`=]+)[^`]*` can't be installed because it is marked", _NO_WHEEL, _WHEELS_ONLY),
        (
            r"Because (?:only )?(?P<package>[\w.-]+)\S* has no (?:usable wheels|wheels with a matching)",
            _NO_WHEEL,
            _WHEELS_ONLY,
        ),
        (r"is disabled, but attempted to build `(?P<package>[^`]+)`", _NO_WHEEL, _WHEELS_ONLY),
        (
            r"Building source distributions is disabled",
            "what it needs is not written in it as plain requirements",
            "Write [project] dependencies as PEP 508 requirements, or lock them.",
        ),
        (
            r"Because there (?:is|are) no versions? of (?P<package>[^\s=<>!~]+)(?P<version>\S*)",
            "there is no {package}{version}",
            "Pick a version that the package index has.",
        ),
        (
            r"Because (?P<clash>\S+ depends on [^\s,]+).*requirements are unsatisfiable",
            "the requirements contradict each other: {clash}",
            "Loosen or correct one of those that uv names.",
        ),
        (
            r"invalid peer certificate",
            "the certificate of the package index is not trusted",
            "With an authority of its own, as behind a proxy: name the file of its certificates in SSL_CERT_FILE.",
        ),
        (
            r"(?:error sending request|dns error|tcp connect error|client error \(Connect\))",
            "the package index could not be reached",
            "Check the network and uv's index settings; a build whose dependencies are cached needs neither.",
        ),
    )
)


def explain(name: str, target: str, log: str) -> DependencyError:
    """Uv's complaint `log` about the file `name` as an error; `target` describes the Python that wheels must fit.

    The log must be free of secrets; it becomes the error's details.
    """
    flat = re.sub(r"\s+", " ", log)
    for pattern, message, hint in _CAUSES:
        if found := pattern.search(flat):
            named = {"target": target, **found.groupdict()}
            return DependencyError(
                f"installing {name}: {message.format(**named)}", hint=hint.format(**named), details=log
            )
    return DependencyError(
        f"installing {name}: uv could not do it for {target}", hint="Correct the file as uv says.", details=log
    )


def without_secrets(text: str) -> str:
    """Text with the credentials taken out of the URLs in it: what stands before the last `@` of the host's part."""
    return re.sub(r"(://)[^\s/?#]*@", r"\1****@", text)
