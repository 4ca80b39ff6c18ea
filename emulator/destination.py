"""Where records of events that were given up go: a file, a line each, or a URL, a POST each.

The only module that opens connections to somewhere else, and only to where the user said. It never retries: what could
not be delivered is said in the log.
"""

from __future__ import annotations

import asyncio

_LIMIT_S = 10.0


async def deliver(target: str, record: bytes) -> None:
    """Append the record to the file, or POST it to the URL. Raises `OSError` if that fails."""
    await asyncio.get_running_loop().run_in_executor(None, _deliver, target, record)


def is_url(target: str) -> bool:
    """Whether a target is a URL, and not a file."""
    return target.startswith(("http://", "https://"))


def _deliver(target: str, record: bytes) -> None:
    if not is_url(target):
        with open(target, "ab") as file:  # noqa: PTH123 - pathlib is not worth its import
            file.write(record)
        return
    try:
        from urllib.request import Request, urlopen  # noqa: PLC0415 - costs more than the rest of the program
    except ImportError as error:  # trimming leaves it out of images whose function does without
        raise OSError(f"posting to {target}: this image has no urllib.request; name a file: {error}") from error
    request = Request(target, record, {"Content-Type": "application/json"})  # noqa: S310 - is_url
    with urlopen(request, timeout=_LIMIT_S):  # noqa: S310 - is_url
        pass
