"""Findings as text for people and as JSON for programs. Pure; the key names are an interface."""

from collections.abc import Sequence

from builder.lint.finding import Finding, Level, read_rules


def render_text(findings: Sequence[Finding], image: str) -> str:
    """A line per finding, the worst first; the reason and what to do stand once, under the first of its rule."""
    lines: list[str] = []
    told: set[str] = set()
    for finding in findings:
        rule = read_rules()[finding.rule]
        lines.append(_line(finding))
        if rule.id not in told:
            told.add(rule.id)
            lines.append(f"    {rule.title}: {rule.why}.")
            lines.append(f"    {rule.do}")
    return "\n".join([*lines, f"{image}: {_counted(findings)}"]) + "\n"


def render_lines(findings: Sequence[Finding]) -> str:
    """A line per finding, without reasons."""
    return "\n".join(map(_line, findings))


def _line(finding: Finding) -> str:
    place = f"{finding.place}: " if finding.place else ""
    return f"{finding.level}: {finding.rule}: {place}{finding.message}"


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
