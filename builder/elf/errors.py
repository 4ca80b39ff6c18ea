"""The one error of reading ELF files, so that a caller catches exactly one class.

It never stands for a problem of the machine (those stay OSError) nor for a library that was not found (a
value of the closure): the blame is the file's alone.
"""


class ElfError(ValueError):
    """A file that starts as ELF but is truncated, damaged or built to mislead.

    The message says what was being read, what was found there and what to do about it.
    """

    def __init__(self, name: str, problem: str) -> None:
        """Keep the two halves of the sentence that a person reads."""
        super().__init__(
            f"reading the ELF file {name!r}: {problem}; "
            "reinstall or rebuild the package it came from, or leave the file out"
        )
        self.name = name
        self.problem = problem
