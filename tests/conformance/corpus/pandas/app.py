"""Tables: what pandas and numpy do for a report, from CSV to pivots, time zones and windows."""

import io

import numpy as np
import pandas as pd

SALES = """day,region,cask,units,price
2026-01-05,EU,oak,3,120.50
2026-01-05,US,pine,1,80.00
2026-01-19,EU,oak,2,121.00
2026-02-02,US,oak,5,119.75
2026-02-16,EU,pine,4,79.50
2026-03-29,EU,ash,1,200.00
"""


def sales():
    table = pd.read_csv(io.StringIO(SALES), parse_dates=["day"])
    return table.assign(total=table["units"] * table["price"])


def by_region(event):
    return sales().groupby("region")["total"].sum().to_dict()


def describe(event):
    return {name: round(float(value), 4) for name, value in sales()["total"].describe().items()}


def resample(event):
    monthly = sales().set_index("day")["total"].resample(event["rule"]).agg(["sum", "mean", "count"])
    return {str(when.date()): [round(float(value), 3) for value in row] for when, row in monthly.fillna(0).iterrows()}


def zones(event):
    local = pd.DatetimeIndex(["2026-03-29 00:30", "2026-03-29 12:00"]).tz_localize("UTC").tz_convert(event["zone"])
    return [[when.isoformat(), when.tzname()] for when in local]


def dates(event):
    return [str(when) for when in pd.to_datetime(event["texts"], format=event.get("format"), utc=event.get("utc"))]


def pivot(event):
    table = sales().pivot_table(index="region", columns="cask", values="units", aggfunc="sum", fill_value=0)
    return {region: {name: int(value) for name, value in row.items()} for region, row in table.iterrows()}


def merge(event):
    prices = pd.DataFrame({"cask": ["oak", "pine", "elm"], "stock": [7, 0, 2]})
    joined = sales().merge(prices, on="cask", how=event["how"], indicator=True)
    return joined["_merge"].astype(str).value_counts().sort_index().to_dict()


def text(event):
    names = pd.Series(["Oak cask, 50 l", "pine cask, 30 l", None])
    found = names.str.extract(r"(?P<wood>\w+) cask, (?P<litres>\d+)", expand=True)
    return {"litres": found["litres"].fillna("0").astype(int).tolist(), "title": names.str.title().fillna("").tolist()}


def from_json(event):
    table = pd.read_json(io.StringIO(event["json"]), orient=event["orient"])
    return [list(map(str, table.columns)), table.to_numpy().tolist(), str(table.dtypes.iloc[0])]


def window(event):
    total = sales()["total"]
    rolled = getattr(total.rolling(2), event["window"])().dropna()
    return {"rolled": rolled.round(3).tolist(), "ewm": total.ewm(span=3).mean().round(3).tolist()}


def write(event):
    table = sales().head(2).drop(columns="day")
    return getattr(table, f"to_{event['form']}")(index=False)


def categories(event):
    cut = pd.cut(sales()["total"], bins=[0, 100, 300, 1000], labels=["low", "middle", "high"])
    ranked = sales()["price"].rank(method="dense").astype(int).tolist()
    return {"counts": cut.value_counts().sort_index().to_dict(), "rank": ranked, "codes": cut.cat.codes.tolist()}


def query(event):
    found = sales().query(event["query"]).eval("double = total * 2")
    return found["double"].round(2).tolist()


def dtypes(event):
    table = pd.DataFrame({"value": pd.array([True, None, False], dtype=event["dtype"])})
    return [str(table["value"].dtype), int(table["value"].isna().sum()), str(table["value"].iloc[0])]


def numbers(event):
    matrix = np.arange(9.0).reshape(3, 3) + np.eye(3)
    return [round(float(np.linalg.det(matrix)), 6), np.percentile(matrix, 75).item(), np.cov(matrix).shape[0]]


def handler(event, context):
    actions = (
        by_region, describe, resample, zones, dates, pivot, merge, text, from_json, window, write, categories, query,
        dtypes, numbers,
    )  # fmt: skip
    return {action.__name__: action for action in actions}[event["do"]](event)
