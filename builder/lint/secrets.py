"""What looks like a secret: patterns with fixed beginnings, as their issuers document them, and names of variables.

Never returns a secret's text: a finding goes into logs. Packages and interpreters are not scanned, because their tests
and documentation are full of keys that open nothing.
"""

import re
from collections.abc import Iterator, Mapping

# Issuers' own formats: GitHub's "token formats", AWS's "unique identifiers", Slack's and Stripe's API references,
# GitLab's and npm's token prefixes, RFC 7468 for keys.
# Before each the texts of which it always holds one: they are found in a tenth of the time.
_PATTERNS: Mapping[str, tuple[tuple[bytes, ...], bytes]] = {
    "an AWS access key": ((b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a private key": ((b"PRIVATE KEY-----",), rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "a GitHub token": (
        (*(b"gh%c_" % letter for letter in b"pousr"), b"github_pat_"),
        rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})",
    ),
    "a GitLab token": ((b"glpat-",), rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": ((b"xox",), rb"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a Google API key": ((b"AIza",), rb"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a Stripe key": ((b"k_live_",), rb"\b[sr]k_live_[A-Za-z0-9]{20,}"),
    "an npm token": ((b"npm_",), rb"\bnpm_[A-Za-z0-9]{36}\b"),
    "a token of the Python package index": ((b"pypi-AgEI",), rb"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
}
_COMPILED = {what: (signs, re.compile(pattern)) for what, (signs, pattern) in _PATTERNS.items()}
_EXAMPLE = re.compile(rb"EXAMPLE|xxxx|XXXX|0{8}|1234567")  # AWS's documentation: AKIAIOSFODNN7EXAMPLE

# Files that exist to hold a secret, wherever they are.
_SECRET_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)[\w.]+)?|\.aws/credentials|\.docker/config\.json|\.netrc"
    r"|\.pypirc|\.git-credentials|id_(?:rsa|dsa|ecdsa|ed25519))$"
)
_SECRET_NAME = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)$")
_NOT_SCANNED = re.compile(
    r"^(?:var/lang|var/runtime|opt/python|usr/share|usr/lib|usr/local/lib|usr/include|lib|lib64|proc|sys)/"
    r"|/(?:site|dist)-packages/"
)
_BYTECODE = (".pyc", ".so", ".png", ".jpg", ".gz", ".zip", ".whl")
_REFERENCE = re.compile(r"^(?:arn:|/|\$\{?|https?://[^:@]*$)|^(?:true|false|\d{1,3}|none|null)$", re.IGNORECASE)
_MIN_SECRET_CHARS = 8  # shorter values are switches


def is_scanned(path: str) -> bool:
    """Whether a file's content is looked at: what a person wrote or copied, not what was installed."""
    return not _NOT_SCANNED.search(path) and not path.endswith(_BYTECODE)


def secrets_in(path: str, data: bytes) -> Iterator[str]:
    """What a file seems to hold, in words, without the secret."""
    if _SECRET_FILES.search(path):
        yield "files of this name hold secrets"
    for what, (signs, pattern) in _COMPILED.items():
        candidates = pattern.finditer(data) if any(sign in data for sign in signs) else ()
        if any(not _EXAMPLE.search(found[0]) for found in candidates):
            yield f"it seems to hold {what}"


def secrets_in_text(text: str) -> Iterator[str]:
    """What a text, such as a line of the history, seems to hold."""
    yield from secrets_in("", text.encode("utf-8", "surrogateescape"))


def is_secret_variable(name: str, value: str) -> bool:
    """Whether a variable's name says secret, and its value is one rather than a reference to one or a switch."""
    return bool(_SECRET_NAME.search(name.upper()) and len(value) >= _MIN_SECRET_CHARS and not _REFERENCE.search(value))
