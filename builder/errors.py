"""Every way in which the builder fails on purpose: one root, split by blame, one exit code per class.

    BuilderError
    ├── the project
    │   ├── SourceError          3   the folder, its pyproject.toml or .dockerignore
    │   ├── HandlerError         4   no handler, or more than one that could be meant
    │   ├── FunctionSyntaxError  5   the function's file does not compile
    │   └── DependencyError      6   dependencies that do not resolve, or have no wheel
    ├── the function
    │   ├── ProofError           7   the image ran and did not do what it should
    │   ├── TrimError           18   the trimmed image does something else than the untrimmed function
    │   ├── LintError           16   the image would be refused, or fail, on Lambda
    │   ├── FunctionError       11   `firkin invoke`: the function answered with an error
    │   └── CheckError          17   `--check`: another build does not give the same image
    ├── the outside
    │   ├── OutputError          8   a result could not be written
    │   ├── DockerError          9   the Docker Engine could not be reached or refused
    │   ├── ImageError          10   an image given to us cannot be read
    │   ├── PeerError           12   `firkin invoke`: nobody answers, or not as Lambda does
    │   ├── InterpreterError    13   the Python to ship is missing or unusable
    │   ├── RegistryError       14   a registry could not be reached, or refused
    │   └── BaseError           15   what --base names is not there, or nothing can be built on it
    └── (anything else)          1   our bug

Exit code 2 is the command line's own (click), 130 is Ctrl-C, 143 SIGTERM. Never formats for a terminal: `program`
does.
"""

from typing import ClassVar


class BuilderError(Exception):
    """What we were doing, what we found; `hint` says what to do next, `details` carries a log, where there is one."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.details = details


class SourceError(BuilderError):
    """The function's folder, or a file in it that steers the build, is missing or wrong."""

    exit_code = 3


class HandlerError(BuilderError):
    """No handler was found, or several could be meant."""

    exit_code = 4


class FunctionSyntaxError(BuilderError):
    """The file that holds the handler does not compile for the target's Python."""

    exit_code = 5


class DependencyError(BuilderError):
    """The dependencies do not resolve, do not match their hashes, or have no wheel for the target."""

    exit_code = 6


class ProofError(BuilderError):
    """The image was run with the sample events and did not answer as it should."""

    exit_code = 7


class OutputError(BuilderError):
    """A result could not be written: no room, no permission, something else in its place."""

    exit_code = 8


class DockerError(BuilderError):
    """The Docker Engine could not be reached, or refused the image."""

    exit_code = 9


class ImageError(BuilderError):
    """An image named on the command line cannot be read or is not what it says."""

    exit_code = 10


class FunctionError(BuilderError):
    """The invoked function answered with an error of its own."""

    exit_code = 11


class PeerError(BuilderError):
    """The invoke endpoint did not answer, or not as Lambda answers."""

    exit_code = 12


class InterpreterError(BuilderError):
    """The Python interpreter to ship was not found, or cannot be shipped."""

    exit_code = 13


class RegistryError(BuilderError):
    """A registry could not be reached, refused, or did not keep to its protocol."""

    exit_code = 14


class BaseError(BuilderError):
    """The base is not there, is for another platform, or holds no Python that can be used."""

    exit_code = 15


class LintError(BuilderError):
    """The image has a fault for which Lambda refuses it, or for which it fails there."""

    exit_code = 16


class CheckError(BuilderError):
    """Building once more did not give the image that is there."""

    exit_code = 17


class TrimError(BuilderError):
    """The trimmed image does something else than the untrimmed function, and nothing more can be put back."""

    exit_code = 18
