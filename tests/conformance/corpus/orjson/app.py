"""JSON by orjson: the types it writes by itself, and its errors."""

import dataclasses
import datetime as dt
import uuid
import zoneinfo

import orjson


@dataclasses.dataclass
class Cask:
    wood: str
    litres: int


def dump(event):
    option = 0
    for name in event.get("options", []):
        option |= getattr(orjson, f"OPT_{name}")
    return orjson.dumps(event["value"], option=option).decode()


def kinds(event):
    value = [Cask("oak", 50), uuid.UUID(int=7), dt.datetime(2026, 7, 1, tzinfo=dt.UTC), dt.date(2026, 1, 2)]
    return orjson.dumps(value).decode()


def zone(event):
    return orjson.dumps(dt.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo(event["zone"]))).decode()


def default(event):
    return orjson.dumps({"set": {1}}, default=list).decode()


def load(event):
    try:
        return orjson.loads(event["text"])
    except orjson.JSONDecodeError as error:
        return [type(error).__name__, error.pos]


def fragment(event):
    return orjson.dumps({"a": orjson.Fragment(b"[1]")}).decode()


def handler(event, context):
    actions = (dump, kinds, zone, default, load, fragment)
    return {action.__name__: action for action in actions}[event["do"]](event)
