"""A database in memory and in /tmp."""

import contextlib
import datetime as dt
import sqlite3
import tempfile
import uuid
from pathlib import Path


def database(**options):
    made = sqlite3.connect(":memory:", **options)
    made.executescript("create table cask (wood text, litres int); insert into cask values ('oak', 50), ('pine', 30);")
    return made


def query(event):
    return [list(row) for row in database().execute(event["sql"], event.get("values", []))]


def rows(event):
    made = database()
    made.row_factory = sqlite3.Row
    return [dict(row) for row in made.execute("select * from cask")]


def functions(event):
    made = database()
    made.create_function("double", 1, lambda x: x * 2)
    made.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    return [list(row) for row in made.execute("select wood, double(litres) from cask order by wood collate backwards")]


def aggregate(event):
    class Longest:
        def __init__(self):
            self.found = ""

        def step(self, value):
            self.found = max(self.found, value, key=len)

        def finalize(self):
            return self.found

    made = database()
    made.create_aggregate("longest", 1, Longest)
    return made.execute("select longest(wood) from cask").fetchone()[0]


def dump(event):
    return [line for line in database().iterdump() if "INSERT" in line]


def adapt(event):
    sqlite3.register_adapter(dt.date, dt.date.isoformat)
    sqlite3.register_converter("day", lambda text: dt.date.fromisoformat(text.decode()))
    made = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)
    made.execute("create table t (d day)")
    made.execute("insert into t values (?)", [dt.date(2026, 1, 2)])
    return made.execute("select d from t").fetchone()[0].isoformat()


def backup(event):
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(sqlite3.connect(Path(folder, "db"))) as copy:
        database().backup(copy)
        return copy.execute("select count(*) from cask").fetchone()[0]


def error(event):
    try:
        database().execute("select nonsense")
    except sqlite3.Error as failed:
        return [type(failed).__name__, str(failed)]
    return None


def identify(event):
    sqlite3.register_adapter(uuid.UUID, str)
    made = sqlite3.connect(":memory:")
    kinds = {"md5": uuid.uuid3, "sha1": uuid.uuid5}
    return made.execute("select ?", [kinds[event["kind"]](uuid.NAMESPACE_DNS, event["name"])]).fetchone()[0]


def handler(event, context):
    actions = (query, rows, functions, aggregate, dump, adapt, identify, backup, error)
    return {action.__name__: action for action in actions}[event["do"]](event)
