"""The corpus: functions with real packages, built at each trim level, and asked what no sample event asked.

`scripts/corpus [NAME…]` builds every function with `build-image`, whose proof runs the sample events in the trimmed
image, and then runs the unseen events in the same image. An answer counts when it is the expected one; that the
untrimmed function gives it too is checked beside it. Never repairs an image: what is missing for an unseen event is a
failure. At `traced` unseen events are counted and nothing more: they are that level's known risk.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import emulator
from builder.cache import Cache
from builder.config import Config
from builder.outputs import open_image
from builder.project import Event, read_events
from builder.prove import Runnable, runnable, settings_for
from builder.prove.proof import judge
from builder.run import from_folder

CORPUS = Path(__file__).parent / "corpus"
LEVELS = ("reachable", "traced")
PROMISED = ("none", "safe", "reachable")  # levels at which unseen events must pass
UNTRIMMED = "untrimmed"  # the function's folder, run as it is
LIMIT_S = 1800  # of one build: it may have to download first

COMMAND = Path(sys.executable).parent / "build-image"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one function at one level. `size` is gzip bytes; `problems` are sentences, none when all is well."""

    name: str
    level: str
    size: int = 0
    files: int = 0
    samples: int = 0
    unseen: int = 0
    passed: int = 0
    seconds: float = 0.0
    problems: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the promise is broken: a build that failed, or an unseen event where the level promises them."""
        broken = self.level not in PROMISED and self.level != UNTRIMMED and self.size
        return bool(self.problems) and not broken


def functions() -> list[str]:
    """The names of the corpus."""
    return sorted(file.parent.name for file in CORPUS.glob("*/app.py"))


def unseen_events(folder: Path) -> list[Event]:
    """The unseen events of a function, with the answers they must get."""
    table = json.loads((folder / "unseen.json").read_text(encoding="utf-8"))
    return [Event(name, _bytes(row["event"]), _bytes(row["answer"])) for name, row in table.items()]


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def answers(program: Runnable, events: Sequence[Event]) -> list[emulator.Outcome]:
    """Run the events in one environment, one after the other."""

    async def run() -> list[emulator.Outcome]:
        async with emulator.Emulator(settings_for(program), log=lambda _: None) as running:
            return [await running.invoke(event.body) for event in events]

    return asyncio.run(run())


def problems(events: Sequence[Event], outcomes: Sequence[emulator.Outcome]) -> tuple[str, ...]:
    """A sentence for each answer that is not the expected one."""
    judged = map(judge, events, outcomes)
    return tuple(f"{answer.event}: {answer.problem}" for answer in judged if answer.problem)


@contextmanager
def copied(name: str) -> Iterator[Path]:
    """The function as a user would have it: without the unseen events."""
    with tempfile.TemporaryDirectory(prefix="firkin-corpus-") as scratch:
        folder = Path(scratch, name)
        shutil.copytree(CORPUS / name, folder, ignore=shutil.ignore_patterns("unseen.json", "__pycache__"))
        yield folder


def build(folder: Path, level: str, output: Path, cache: Path) -> dict[str, object]:
    """The result of `build-image --json`; raises RuntimeError with its words when it fails."""
    command = [COMMAND, folder, "--trim", level, "-o", f"oci:{output}", "--json", "-q"]
    environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(cache)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder.parent
    )
    if done.returncode:
        raise RuntimeError(f"build-image ended with {done.returncode}: {done.stderr.strip()[-3000:]}")
    return json.loads(done.stdout)


def run_untrimmed(name: str, cache: Path) -> Row:
    """The function's folder itself, with all events: what the expected answers stand for."""
    started = time.monotonic()
    folder = CORPUS / name
    samples, unseen = read_events(folder, ()), unseen_events(folder)
    with copied(name) as source:
        program = from_folder(Config(source), Cache(cache, print), environment=os.environ)
        found = problems([*samples, *unseen], answers(program, [*samples, *unseen]))
    spent = time.monotonic() - started
    passed = len(samples) + len(unseen) - len(found)
    return Row(name, UNTRIMMED, 0, 0, len(samples), len(unseen), passed - len(samples), spent, found)


def run_level(name: str, level: str, cache: Path) -> Row:
    """Build one function at one level and run its unseen events in the image."""
    started = time.monotonic()
    samples, unseen = read_events(CORPUS / name, ()), unseen_events(CORPUS / name)
    with copied(name) as source:
        output = source.parent / "image"
        try:
            result = build(source, level, output, cache)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return Row(name, level, samples=len(samples), unseen=len(unseen), problems=(str(error),))
        with runnable(open_image(f"oci:{output}"), Cache(cache, print)) as program:
            found = problems(unseen, answers(program, unseen))
    files = sum(layer["files"] for layer in result["layers"])
    spent = time.monotonic() - started
    return Row(name, level, result["size"], files, len(samples), len(unseen), len(unseen) - len(found), spent, found)


def run_one(name: str, levels: Sequence[str], cache: Path) -> list[Row]:
    """All rows of one function; a surprise is a row's problem and not the end of the others."""
    rows = []
    for level in levels:
        try:
            rows.append(run_untrimmed(name, cache) if level == UNTRIMMED else run_level(name, level, cache))
        except Exception as error:  # noqa: BLE001 - told in the table
            rows.append(Row(name, level, problems=(f"{type(error).__name__}: {error}",)))
    return rows


def renew(name: str, cache: Path) -> None:
    """Write the answers of the untrimmed function as the expected ones: to be read before they are committed."""
    folder = CORPUS / name
    samples, unseen = read_events(folder, ()), unseen_events(folder)
    with copied(name) as source:
        program = from_folder(Config(source), Cache(cache, print), environment=os.environ)
        outcomes = answers(program, [*samples, *unseen])
    texts = []
    for event, outcome in zip([*samples, *unseen], outcomes, strict=True):
        if outcome.function_error or outcome.status != 200:
            raise SystemExit(f"{name}, {event.name}: {outcome.payload.decode()[:500]}\n{outcome.log.decode()[-2000:]}")
        texts.append(json.dumps(json.loads(outcome.payload), ensure_ascii=False))
    (folder / "events" / "expected").mkdir(exist_ok=True)
    for event, text in zip(samples, texts, strict=False):
        (folder / "events" / "expected" / f"{event.name}.json").write_text(text + "\n", encoding="utf-8")
    rows = [
        f'  {json.dumps(event.name)}: {{"event": {event.body.decode()}, "answer": {text}}}'
        for event, text in zip(unseen, texts[len(samples) :], strict=True)
    ]
    (folder / "unseen.json").write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """The rows as a table for people."""
    lines = [f"{'function':24} {'level':10} {'gzip MB':>8} {'files':>6} {'samples':>7} {'unseen':>9} {'s':>6}"]
    for row in rows:
        size, files = (f"{row.size / 1e6:.2f}", row.files) if row.size else ("-", "-")
        unseen, failed = f"{row.passed}/{row.unseen}", "  FAILED" if row.failed else ""
        cells = f"{size:>8} {files:>6} {row.samples:>7} {unseen:>9} {row.seconds:>6.1f}"
        lines.append(f"{row.name:24} {row.level:10} {cells}{failed}")
    return "\n".join(lines)


def main() -> int:
    """Run what was asked for; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions of the corpus; else all")
    parser.add_argument("--level", action="append", dest="levels", help=f"else {UNTRIMMED} and {', '.join(LEVELS)}")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="the build cache; else one that is removed afterwards")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--renew", action="store_true", help="write the untrimmed function's answers as the expected")
    asked = parser.parse_args()
    names = asked.names or functions()
    with tempfile.TemporaryDirectory(prefix="firkin-corpus-") as scratch:
        cache = (asked.cache or Path(scratch, "cache")).absolute()
        if asked.renew:
            for name in names:
                renew(name, cache)
            return 0
        levels = asked.levels or [UNTRIMMED, *LEVELS]
        rows = []
        with ProcessPoolExecutor(asked.jobs) as pool:
            for done in pool.map(run_one, names, [levels] * len(names), [cache] * len(names)):
                rows += done
                print(table(done).partition("\n")[2], file=sys.stderr, flush=True)
                for row in done:
                    for problem in row.problems:
                        print(f"{row.name}, {row.level}: {problem}", file=sys.stderr, flush=True)
    print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    failed = sum(row.failed for row in rows)
    print(f"{len(names)} functions, {failed} failed" if failed else f"{len(names)} functions, all well")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
