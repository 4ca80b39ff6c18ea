"""Turns CSV files of sales, as they arrive in an S3 bucket, into a report by region and by month.

The event is S3's own notification of a new object, plus one field that S3 never sends: `content`, the text
of the file, so that the example runs where there is no bucket. In production `read_object` fetches it:

    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    return body.read().decode("utf-8")

Money is counted in whole cents and never as a float, so the report is the same with every pandas.
"""

import io
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import unquote_plus

import pandas as pd

CENT = Decimal("0.01")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Report on each object the event names; the test event, which S3 sends at set-up, names none."""
    return {"reports": [report_on(record) for record in event.get("Records", [])]}


def report_on(record: dict[str, Any]) -> dict[str, Any]:
    """Read the object of one S3 record and sum it up."""
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])  # S3 sends keys URL-encoded: "spring+sales.csv"
    sales = parse_sales(read_object(record))
    return {
        "source": f"s3://{bucket}/{key}",
        "total": totals(sales),
        "by_region": groups(sales, "region"),
        "by_month": groups(sales, "month"),
    }


def read_object(record: dict[str, Any]) -> str:
    """Return the text of the record's object; see the top of this file for production."""
    return str(record["content"])


def parse_sales(text: str) -> pd.DataFrame:
    """Read the columns date, region, units and unit_price; add month and cents; ValueError for a bad cell."""
    sales = pd.read_csv(
        io.StringIO(text),
        usecols=["date", "region", "units", "unit_price"],
        dtype={"date": "str", "region": "str", "units": "int64"},
        converters={"unit_price": parse_cents},
        keep_default_na=False,  # the region "NA" is North America, not a missing value
    )
    sales["month"] = pd.to_datetime(sales["date"], format="%Y-%m-%d").dt.strftime("%Y-%m")
    sales["cents"] = sales["units"] * sales["unit_price"].astype("int64")
    return sales


def parse_cents(amount: str) -> int:
    """Turn "12.50" into 1250."""
    cents = Decimal(amount) / CENT
    if cents != cents.to_integral_value():
        raise ValueError(f"unit_price {amount!r} has more than two decimals")
    return int(cents)


def groups(sales: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """Sum up the rows that share a value of the column, in the order of these values."""
    return [{column: value, **totals(rows)} for value, rows in sales.groupby(column, sort=True)]


def totals(sales: pd.DataFrame) -> dict[str, Any]:
    """Sum up all rows. Amounts are strings with two decimals, because JSON numbers are floats."""
    orders, cents = len(sales), int(sales["cents"].sum())
    return {
        "orders": orders,
        "units": int(sales["units"].sum()),
        "revenue": str(cents * CENT),
        "average_order": str((cents * CENT / orders).quantize(CENT, ROUND_HALF_EVEN)) if orders else None,
    }
