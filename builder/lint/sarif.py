"""Findings as SARIF 2.1.0, which GitHub's code scanning and other dashboards read. Pure.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from collections.abc import Sequence

from builder.lint.finding import Finding, Rule, read_rules

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MANUAL = "docs/reference/lint.md"


def render_sarif(findings: Sequence[Finding], image: str, *, version: str) -> dict[str, object]:
    """The log of one run over `image`; `version` is firkin's."""
    rules = list(read_rules().values())
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "firkin lint", "version": version, "rules": [_rule(rule) for rule in rules]}
                },
                "results": [_result(finding, image, rules) for finding in findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}: {rule.why}."},
        "help": {"text": rule.do},
        "helpUri": f"{_MANUAL}#{rule.id}",
        "defaultConfiguration": {"level": rule.level.value},
    }


def _result(finding: Finding, image: str, rules: Sequence[Rule]) -> dict[str, object]:
    rule = read_rules()[finding.rule]
    location: dict[str, object] = {
        # A dashboard wants a file of the repository; an image is none, so its name stands for it.
        "physicalLocation": {"artifactLocation": {"uri": image.partition(":")[2] or image}},
    }
    if finding.place:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.place, "kind": "resource"}]
    return {
        "ruleId": rule.id,
        "ruleIndex": rules.index(rule),
        "level": rule.level.value,
        "message": {"text": f"{rule.title}: {finding.message}. {rule.do}"},
        "locations": [location],
    }
