"""YAML, read and written by the loaders and dumpers that the event names."""

import datetime as dt

import yaml


class Cask(yaml.YAMLObject):
    yaml_tag = "!cask"
    yaml_loader = yaml.SafeLoader

    def __init__(self, wood):
        self.wood = wood


def load(event):
    return yaml.load(event["text"], getattr(yaml, event.get("loader", "SafeLoader")))


def many(event):
    return list(yaml.safe_load_all(event["text"]))


def dump(event):
    return yaml.dump(
        event["value"],
        Dumper=getattr(yaml, event.get("dumper", "SafeDumper")),
        sort_keys=False,
        default_flow_style=event.get("flow", False),
        allow_unicode=True,
    )


def tag(event):
    return [yaml.safe_load("!cask {wood: oak}").wood, yaml.dump(Cask("ash")).strip()]


def dates(event):
    found = yaml.safe_load("day: 2026-01-02\nat: 2026-01-02T03:04:05+02:00\nsum: 1_000\nhex: 0x1F\nsex: 1:30")
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in found.items()}


def broken(event):
    try:
        yaml.safe_load("a: [1")
    except yaml.YAMLError as error:
        return [type(error).__name__, error.problem_mark.line]
    return None


def tokens(event):
    return [type(token).__name__ for token in yaml.scan(event["text"])]


def handler(event, context):
    actions = (load, many, dump, tag, dates, broken, tokens)
    return {action.__name__: action for action in actions}[event["do"]](event)
