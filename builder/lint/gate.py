"""What follows from findings: a build or a pipeline that stops. The check of a build is remembered by image."""

from collections.abc import Sequence

from builder.cache import Cache, key_of
from builder.console import Console
from builder.errors import LintError, SourceError
from builder.lint.check import lint
from builder.lint.finding import Finding, Level, read_rules
from builder.lint.render import render_lines
from builder.lint.subject import Subject


def check_ignored(ignored: Sequence[str], *, origin: str) -> None:
    """Raise SourceError for a rule that does not exist; `origin` says who named it."""
    unknown = next((name for name in ignored if name not in read_rules()), None)
    if unknown is not None:
        raise SourceError(f"reading {origin}: there is no rule {unknown!r}", hint=f"Rules: {', '.join(read_rules())}.")


def failed(findings: Sequence[Finding], *, strict: bool = False) -> bool:
    """Whether the findings forbid to deploy; warnings count when `strict`."""
    bad = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    return any(finding.level in bad for finding in findings)


def gate(findings: Sequence[Finding], image: str, *, strict: bool = False, option: str = "--ignore") -> None:
    """Raise LintError, with all findings, when they forbid to deploy; `option` is how to accept one."""
    if not failed(findings, strict=strict):
        return
    first = findings[0]
    rule = read_rules()[first.rule]
    others = len(findings) - 1
    raise LintError(
        f"checking {image}: {first.place + ': ' if first.place else ''}{rule.title.lower()}: {first.message}"
        + (f" (and {others} more {'finding' if others == 1 else 'findings'})" if others else ""),
        details=render_lines(findings) if others else "",
        hint=f"{rule.do} Where it is meant to be so: {option} {first.rule}.",
    )


def check_built(
    subject: Subject, digest: str, cache: Cache, console: Console, *, ignored: Sequence[str], log: str
) -> None:
    """Check an image that was just built and proven, before it is written. Raises LintError; warnings are told.

    `log` is what the proof's runs wrote. An image that passed before is not read again.
    """
    key = key_of("linted", digest, sorted(ignored), [str(rule) for rule in read_rules().values()])
    record = cache.record("linted", key)
    if record is None:
        findings = [one for one in lint(subject, cache, ignored=ignored, log=log) if one.level is not Level.NOTE]
        gate(findings, "the image", option="--lint-ignore")
        record = {"warnings": [f"{one.place or 'the image'}: {one.message} [{one.rule}]" for one in findings]}
        cache.write_record("linted", key, record)
    warnings = record["warnings"]
    for text in warnings if isinstance(warnings, list) else ():
        console.warn(str(text))
