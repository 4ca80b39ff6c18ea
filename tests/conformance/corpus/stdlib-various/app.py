"""Modules that the event names, and modules of the standard library that load others quietly."""

import argparse
import collections
import configparser
import csv
import difflib
import gettext
import importlib
import inspect
import io
import json
import logging.config
import pickle
import pprint
import shelve
import shutil
import tempfile
import tomllib
import typing
import unittest.mock
import uuid
from pathlib import Path


def load(event):
    module = importlib.import_module(event["module"])
    return [module.__name__, hasattr(module, event["has"])]


def logs(event):
    logging.config.dictConfig(
        {
            "version": 1,
            "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
            "handlers": {"h": {"class": event["class"], "formatter": "f", **event.get("options", {})}},
            "loggers": {"casks": {"handlers": ["h"], "level": "INFO"}},
        }
    )
    return type(logging.getLogger("casks").handlers[0]).__name__


def archive(event):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        (source / "a.txt").write_text("oak")
        made = shutil.make_archive(str(Path(folder, "out")), event["format"], source)
        shutil.unpack_archive(made, Path(folder, "again"))
        return [Path(made).name, Path(folder, "again", "a.txt").read_text()]


def store(event):
    with tempfile.TemporaryDirectory() as folder:
        with shelve.open(str(Path(folder, "s"))) as shelf:
            shelf["a"] = collections.OrderedDict(x=1)
        with shelve.open(str(Path(folder, "s"))) as shelf:
            return dict(shelf["a"])


def pickled(event):
    return str(pickle.loads(pickle.dumps(uuid.UUID(int=3), protocol=event["protocol"])))


def text(event):
    table = list(csv.DictReader(io.StringIO("a;b\n1;2"), dialect=event.get("dialect", "excel"), delimiter=";"))
    settings = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    settings.read_string("[a]\nx=1\ny=${x}2")
    changes = list(difflib.unified_diff(["a"], ["b"], lineterm=""))
    return [table, settings["a"]["y"], changes[-1], tomllib.loads("a = [1]"), pprint.pformat({"a": 1})]


def arguments(event):
    parser = argparse.ArgumentParser(prog="cask", exit_on_error=False)
    parser.add_argument("--litres", type=int, choices=[30, 50])
    try:
        return parser.parse_args(event["arguments"]).litres
    except argparse.ArgumentError as error:
        return str(error).split(":")[0]


def mocked(event):
    found = unittest.mock.Mock(return_value=3)
    return [found(1), found.call_args.args[0], gettext.gettext("oak"), str(inspect.signature(mocked))]


def hints(event):
    return sorted(typing.get_type_hints(json.JSONDecodeError.__init__, include_extras=True))


def handler(event, context):
    actions = (load, logs, archive, store, pickled, text, arguments, mocked, hints)
    return {action.__name__: action for action in actions}[event["do"]](event)
