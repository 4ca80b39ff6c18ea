"""The function's own texts that are no Python: templates, which call methods that no reader of modules sees.

Looks for codecs alone, which are named where they are used: what else a template asks for, it is given by the function.
Never reads files of packages, and no file that is larger than a text is.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from builder.plan import TASK, How, PlannedFile
from builder.trim.index import Index
from builder.trim.reached import Cause
from builder.trim.words import codecs_called

MAX_TEXT_BYTES = 1 << 20  # a larger file is data, and no template


def codecs_of_texts(files: Iterable[PlannedFile], index: Index) -> Iterable[tuple[str, Cause]]:
    """The paths of codecs that calls of `encode` and `decode` in the function's texts name."""
    for file in files:
        is_own = file.how is How.COPY and file.path.startswith(f"{TASK}/") and not file.path.endswith((".py", ".so"))
        if is_own and file.size <= MAX_TEXT_BYTES:
            for codec in sorted(codecs_called(_read(file))):
                for module in index.find(f"encodings.{codec}"):
                    yield module.path, Cause("names the codec:", file.path)


def _read(file: PlannedFile) -> str:
    with suppress(OSError):
        return Path(file.source).read_text(encoding="utf-8", errors="replace")
    return ""
