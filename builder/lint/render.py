"""Findings as text for people and as JSON for programs. Pure; the key names are an interface."""

from collections.abc import Sequence

from builder.lint.finding import Finding, Level, read_rules


def render_text(findings: Sequence[Finding], image: str) -> str:
    """A line per finding, the worst first; the reason and what to do stand once, under the first of its rule."""
    lines: list[str] = []
    told: set[str] = set()
    for finding in findings:
        rule = read_rules()[finding.rule]
        place = f"{finding.place}: " if finding.place else ""
        lines.append(f"{finding.level}: {rule.id}: {place}{finding.message}")
        if rule.id not in told:
            told.add(rule.id)
            lines.append(f"    {rule.title}: {rule.why}.")
            lines.append(f"    {rule.do}")
    return "\n".join([*lines, f"{image}: {_counted(findings)}"]) + "\n"


def _counted(findings: Sequence[Finding]) -> str:
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    told = [f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    return ", ".join(told) or "nothing found"


def describe_findings(findings: Sequence[Finding], image: str, *, passed: bool) -> dict[str, object]:
    """The JSON object of `firkin lint --json`."""
    rules = read_rules()
    return {
        "image": image,
        "passed": passed,
        "findings": [
            {
                "rule": one.rule,
                "level": one.level.value,
                "place": one.place,
                "message": one.message,
                "title": rules[one.rule].title,
                "why": rules[one.rule].why,
                "do": rules[one.rule].do,
            }
            for one in findings
        ],
    }
