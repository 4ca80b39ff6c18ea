"""Each way in which uv fails, as an error with the package, the target and what to do.

Here every row of the table is tried; test_dependencies lets the real uv say most of the same words.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import DependencyError
from builder.uv_errors import _CAUSES, explain, without_secrets

TARGET = "CPython 3.11 on linux x86_64 (glibc 2.36)"
UNSATISFIABLE = ", we can conclude that your requirements are unsatisfiable."

# (what uv writes, what the message ends with, a piece of the hint). Shortened from output of uv 0.13, but for three
# that were not seen: the full disk, "connectivity is disabled", and the sentence around "(401 Unauthorized)".
OBSERVED = [
    (
        "error: Failed to download `flask==3.0.0`\n  cause: Hash mismatch for `flask==3.0.0`\n\n  Expected:",
        "the file of flask==3.0.0 does not have the hash that is written down",
        "find out who",
    ),
    (
        "error: failed to write\n  cause: No space left on device (os error 28)",
        "the disk is full",
        "BUILD_IMAGE_CACHE_DIR",
    ),
    (
        "error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.",
        "it does not fit pyproject.toml any more",
        "Run uv lock",
    ),
    (
        (
            "error: The requested interpreter resolved to Python 3.11.7, which is incompatible with the project's "
            "Python requirement: `>=3.13` (from `project.requires-python`)"
        ),
        "it needs Python >=3.13, and 3.11.7 would be shipped",
        "--python",
    ),
    ("error: Failed to parse `uv.lock`\n  cause: TOML parse error at line 24", "it is damaged", "uv lock"),
    ("error: Not a valid `pylock.toml` file: pylock.toml\n  cause: TOML", "it is damaged", "uv lock"),
    (
        "error: No `pyproject.toml` found in current directory or any parent directory",
        "there is no pyproject.toml beside it",
        "Put back",
    ),
    (
        'error: Couldn\'t parse requirement in `r.txt` at position 0\n  cause: no such comparison operator "====="',
        "a line of r.txt is no requirement",
        "name==version",
    ),
    (
        "error: In `--require-hashes` mode, all requirements must have a hash, but none were provided for: idna==3.10",
        "idna==3.10 has no hash, and others have",
        "Lock again",
    ),
    (
        "  cause: Because flask was not found in the cache and you require flask" + UNSATISFIABLE,
        "flask is not in uv's cache, and --offline forbids to fetch it",
        "Build once without --offline.",
    ),
    (
        "error: Network connectivity is disabled, but the requested data wasn't found in the cache",
        "a package is not in uv's cache, and --offline forbids to fetch it",
        "Build once without --offline.",
    ),
    (
        "  cause: Because no-such-thing was not found in the package registry and you require it" + UNSATISFIABLE,
        "no-such-thing was not found",
        "Check the spelling",
    ),
    (
        "  cause: Because docopt==0.6.2 has no usable wheels and you require docopt==0.6.2" + UNSATISFIABLE,
        f"no wheel of docopt fits {TARGET}",
        "Pick a version of docopt",
    ),
    (
        "  cause: Because all of:\n  numpy<=1.9.3\n  have no usable wheels" + UNSATISFIABLE + "\n\nhint: Wheels are "
        "required for `numpy` because building from source is disabled for all packages (i.e., with `--no-build`)",
        f"no wheel of numpy fits {TARGET}",
        "nothing is compiled",
    ),
    (
        "hint: Wheels are available for `pywin32` (v306) on the following platforms: `win32`",
        f"no wheel of pywin32 fits {TARGET}",
        "another --python",
    ),
    (
        "hint: You require CPython 3.11 (`cp311`), but we only found wheels for `numpy` (v1.10.3) with the following",
        f"no wheel of numpy fits {TARGET}",
        "uv build --wheel",
    ),
    (
        "error: Package `idna==1` can't be installed because it is marked as `--no-build` but has no binary",
        f"no wheel of idna fits {TARGET}",
        "Pick a version of idna",
    ),
    (
        "error: Building source distributions is disabled, but attempted to build `mylib`",
        f"no wheel of mylib fits {TARGET}",
        "Pick a version of mylib",
    ),
    (
        "error: Building source distributions is disabled",
        "what it needs is not written in it as plain requirements",
        "PEP 508",
    ),
    (
        "  cause: Because there is no version of flask==999 and you require flask==999" + UNSATISFIABLE,
        "there is no flask==999",
        "Pick a version that the package index has.",
    ),
    (
        (
            "  cause: Because flask==3.0.0 depends on werkzeug>=3.0.0 and you require flask==3.0.0, we can conclude "
            "that you require werkzeug>=3.0.0.\n  And because you require werkzeug<2" + UNSATISFIABLE
        ),
        "the requirements contradict each other: flask==3.0.0 depends on werkzeug>=3.0.0",
        "Loosen",
    ),
    (
        "  cause: HTTP status client error (401 Unauthorized) for url (http://h/simple/a/)",
        "the package index refused: 401 Unauthorized",
        "credentials",
    ),
    (
        "  cause: error sending request for url\n  cause: invalid peer certificate: UnknownIssuer",
        "the certificate of the package index is not trusted",
        "SSL_CERT_FILE",
    ),
    (
        "error: Failed to fetch: http://h/\n  cause: error sending request for url\n  cause: tcp connect error",
        "the package index could not be reached",
        "Check the network",
    ),
]


@pytest.mark.parametrize(("log", "message", "hint"), OBSERVED)
def test_what_uv_says_becomes_what_to_do(log: str, message: str, hint: str):
    """The message names the file and the cause, the hint the way out, and uv's own words are kept."""
    error = explain("requirements.txt", TARGET, log)
    assert isinstance(error, DependencyError)
    assert str(error) == f"installing requirements.txt: {message}"
    assert hint in error.hint
    assert error.details == log


def test_every_row_of_the_table_is_tried():
    """No row of the table is without an observation that reaches it."""
    reached = set()
    for log, _, _ in OBSERVED:
        flat = " ".join(log.split())
        reached.add(next(index for index, (pattern, _, _) in enumerate(_CAUSES) if pattern.search(flat)))
    assert reached == set(range(len(_CAUSES)))


def test_what_nobody_foresaw_keeps_uvs_words():
    """An unknown complaint is still a DependencyError with target, log and a hint."""
    error = explain("uv.lock", TARGET, "error: the moon is full")
    assert str(error) == f"installing uv.lock: uv could not do it for {TARGET}"
    assert error.hint == "Correct the file as uv says."
    assert error.details == "error: the moon is full"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:s3cret@host/simple", "https://****@host/simple"),
        ("https://token@host/", "https://****@host/"),
        ("http://u:p@ss@host:8080/x and https://v:w@other", "http://****@host:8080/x and https://****@other"),
        ("https://host/a@b", "https://host/a@b"),
        ("https://host?x=a@b", "https://host?x=a@b"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_credentials_are_taken_out_of_urls(text: str, clean: str):
    """What stands before the host's `@` is never shown; an `@` elsewhere is left."""
    assert without_secrets(text) == clean


@given(st.text(max_size=200))
def test_any_log_is_explained(log: str):
    """Whatever uv writes, the answer is a DependencyError with a hint, braces and all."""
    assert explain("uv.lock", TARGET, log).hint
