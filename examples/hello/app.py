"""Says hello to whoever the event names: the smallest function there is, and nothing to install.

Build it with `build-image examples/hello --tag hello`.
"""

from typing import Any


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Take `{"name": "Ada"}`, or any other event, and answer `{"greeting": "Hello, Ada!"}`."""
    return {"greeting": f"Hello, {event.get('name', 'world')}!"}
