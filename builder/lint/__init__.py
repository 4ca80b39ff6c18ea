"""Every reason for which Lambda refuses an image, or a function fails there, found before the deploy.

Rules are rows of `rules.toml`. An image is opened as a `Subject`, its layers are read once, and pure functions give
`Finding`s. Nothing of the image is run.
"""

from builder.lint.check import lint, lint_each, read_layer, read_layers, remember
from builder.lint.contents import Contents as LayerContents
from builder.lint.contents import Reading, read_held
from builder.lint.finding import Finding, Level, Rule, read_rules
from builder.lint.gate import check_built, check_ignored, failed, gate
from builder.lint.render import describe_findings, render_text
from builder.lint.sarif import render_sarif
from builder.lint.subject import Subject, fetched_subjects, open_subjects

__all__ = [
    "Finding",
    "LayerContents",
    "Level",
    "Reading",
    "Rule",
    "Subject",
    "check_built",
    "check_ignored",
    "describe_findings",
    "failed",
    "fetched_subjects",
    "gate",
    "lint",
    "lint_each",
    "open_subjects",
    "read_held",
    "read_layer",
    "read_layers",
    "read_rules",
    "remember",
    "render_sarif",
    "render_text",
]
