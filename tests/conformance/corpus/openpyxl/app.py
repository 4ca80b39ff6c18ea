"""Workbooks: written and read again, with styles, formulas, charts, tables and validation."""

import datetime as dt
import io
import zipfile

import openpyxl
from openpyxl import chart
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table


def book():
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Casks"
    for row in (("wood", "units"), ("oak", 3), ("pine", 4)):
        sheet.append(row)
    return made, sheet


def again(made, **options):
    stream = io.BytesIO()
    made.save(stream)
    return openpyxl.load_workbook(stream, **options)


def values(event):
    return [list(row) for row in again(book()[0])["Casks"].iter_rows(values_only=True)]


def styles(event):
    made, sheet = book()
    sheet["A1"].font, sheet["A1"].fill = Font(bold=True), PatternFill("solid", fgColor="FFCC00")
    sheet["A1"].alignment, sheet["B2"].number_format = Alignment(horizontal="center"), "0.00"
    found = again(made)["Casks"]
    return [
        found["A1"].font.b,
        found["A1"].fill.fgColor.rgb,
        found["A1"].alignment.horizontal,
        found["B2"].number_format,
    ]


def formula(event):
    made, sheet = book()
    sheet["B4"] = event["formula"]
    return [again(made)["Casks"]["B4"].value, again(made, data_only=True)["Casks"]["B4"].value]


def charts(event):
    made, sheet = book()
    picture = getattr(chart, event["kind"])()
    picture.add_data(chart.Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(picture, "D1")
    return [type(found).__name__ for found in again(made)["Casks"]._charts]


def dates(event):
    made, sheet = book()
    sheet["C1"], sheet["C2"] = dt.datetime(2026, 1, 2, 3, 4), dt.timedelta(hours=30)
    found = again(made)["Casks"]
    return [found["C1"].value.isoformat(), str(found["C2"].value), found["C1"].is_date]


def tables(event):
    made, sheet = book()
    sheet.add_table(Table(displayName="T", ref="A1:B3"))
    rule = DataValidation(type="list", formula1='"oak,pine"')
    rule.add("A2")
    sheet.add_data_validation(rule)
    sheet.conditional_formatting.add("B2:B3", ColorScaleRule("min", None, "FF0000", "max", None, "00FF00"))
    found = again(made)["Casks"]
    return [list(found.tables), found.data_validations.dataValidation[0].formula1, len(found.conditional_formatting)]


def quick(event):
    made = openpyxl.Workbook(write_only=True)
    sheet = made.create_sheet("Fast")
    for number in range(event["rows"]):
        sheet.append([number, number * 2])
    rows = again(made, read_only=True)["Fast"].rows
    return [sum(row[1].value for row in rows), get_column_letter(28)]


def broken(event):
    try:
        openpyxl.load_workbook(io.BytesIO(b"no zip"))
    except zipfile.BadZipFile as error:
        return type(error).__name__
    return None


def names(event):
    made, sheet = book()
    sheet.merge_cells("A5:B6")
    sheet["A2"].comment = openpyxl.comments.Comment("old", "Ada")
    sheet["A3"].hyperlink = "https://example.com"
    made.create_sheet("Second", 0)
    made.properties.title = "Report"
    found = again(made)
    return [
        found.sheetnames,
        str(found["Casks"].merged_cells),
        found["Casks"]["A2"].comment.text,
        found["Casks"]["A3"].hyperlink.target,
        found.properties.title,
    ]


def handler(event, context):
    actions = (values, styles, formula, charts, dates, tables, quick, broken, names)
    return {action.__name__: action for action in actions}[event["do"]](event)
