"""Time zones by the name the event gives, from the package tzdata."""

import datetime as dt
import importlib.resources
import zoneinfo

import tzdata  # noqa: F401  the zones


def local(event):
    zone = zoneinfo.ZoneInfo(event["zone"])
    at = dt.datetime.fromisoformat(event["at"]).replace(tzinfo=dt.UTC).astimezone(zone)
    return [at.isoformat(), at.tzname(), str(at.dst())]


def packaged(event):
    continent, _, city = event["zone"].partition("/")
    with importlib.resources.files(f"tzdata.zoneinfo.{continent}").joinpath(city).open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file, key=event["zone"])
    return dt.datetime(2026, 7, 1, 12, tzinfo=zone).isoformat()


def fold(event):
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    return [dt.datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=zone).isoformat() for fold in (0, 1)]


def names(event):
    found = zoneinfo.available_timezones()
    return [name in found for name in event["names"]]


def unknown(event):
    try:
        zoneinfo.ZoneInfo(event["zone"])
    except zoneinfo.ZoneInfoNotFoundError as error:
        return str(error)
    return None


def handler(event, context):
    actions = (local, packaged, fold, names, unknown)
    return {action.__name__: action for action in actions}[event["do"]](event)
