"""`--report FILE.html|FILE.json`: one build on one page, for a person or for a program."""

from builder.report.page import check_report, write_report

__all__ = ["check_report", "write_report"]
