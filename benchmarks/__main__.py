"""Measure, compare with what was measured before, and say what was lost: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from benchmarks.goals import goals_table
from benchmarks.harness import Figure
from benchmarks.machine import ROOT, machine
from benchmarks.results import Results, figures_table, gone, losses, missed_floors, read_results, shown, verdict
from earmark.errors import UserError, unknown_name

SUITES = Path(__file__).with_name("suites")
STORED = Path(__file__).with_name("results")
TITLE = re.compile(r'^TITLE(?:: str)? = "(.+)"$', re.MULTILINE)


def titles() -> dict[str, str]:
    """Every suite and what it measures, read without importing what it needs."""
    found = {}
    for path in sorted(SUITES.glob("[a-z]*.py")):
        title = TITLE.search(path.read_text())
        found[path.stem] = title[1] if title else ""
    return found


def measure_alone(suite: str, full: bool) -> int:
    """One suite in this process: a JSON line a figure on standard output; what else is written goes to the other."""
    with os.fdopen(os.dup(1), "w") as lines:
        os.dup2(2, 1)
        try:
            for figure in importlib.import_module(f"benchmarks.suites.{suite}").measure(full):
                print(json.dumps(asdict(figure)), file=lines, flush=True)
        except Exception as error:
            traceback.print_exc()
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=lines)
            return 1
    return 0


def measured(suite: str, full: bool) -> tuple[list[Figure], str]:
    """The figures of one suite, from a process of its own, told as they come; and why it did not end well, or ""."""
    command = [sys.executable, "-m", "benchmarks", suite, "--alone", *(["--full"] if full else [])]
    figures, reason = [], ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            if "error" in found:
                reason = found["error"]
                continue
            figures.append(Figure(**{**found, "values": tuple(found["values"])}))
            tell(figures[-1])
    if process.returncode and not reason:
        reason = f"its process ended with {process.returncode}"
    return figures, reason or ("" if figures else "it gave no figure")


def tell(figure: Figure) -> None:
    """A figure in a line."""
    reached = {"yes": "reached", "floor": "above its floor", "no": "missed", "": ""}[verdict(figure)]
    peer = f"to {figure.peer}" if figure.peer else ""
    print("  ", "  ".join(filter(None, [f"{figure.title}:", shown(figure), peer, reached, figure.note])), flush=True)


def run(suites: list[str], full: bool) -> Results:
    """All suites, one after another."""
    results = Results(machine(), full, [], {})
    for suite in suites:
        print(f"{suite}: {titles()[suite]}", flush=True)
        figures, reason = measured(suite, full)
        results.figures.extend(figures)
        if reason:
            results.failed[suite] = reason
            print(f"   failed: {reason}", flush=True)
    return results


def write(results: Results, folder: Path) -> None:
    """Both forms of the results, named after the run's length."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "full" if results.full else "quick"
    (folder / f"{name}.json").write_text(results.to_json())
    (folder / f"{name}.md").write_text(page(results))


def page(results: Results) -> str:
    """The results as Markdown."""
    where = results.machine
    gpus = ", ".join(where["gpus"]) or "no GPU"
    packages = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    parts = [
        f"# Benchmarks, {'full' if results.full else 'quick'}",
        f"{where['date']}, commit {where['commit'] or 'unknown'}: {where['cpu']}, {where['cores']} cores"
        f"{', AMX' if where['amx'] else ''}, {where['memory_gib']} GiB, {gpus}; load {where['load']} at the start; "
        f"Python {where['python']}, {packages}.",
        *(f"**{suite} failed:** {reason}" for suite, reason in results.failed.items()),
        "## Goals",
        goals_table(results.figures, where),
        "## All figures",
        figures_table(results.figures),
    ]
    return "\n\n".join(parts) + "\n"


def judge(results: Results, old: Results | None) -> int:
    """Say what failed, missed its floor or was lost; 1 if there is any."""
    bad = [f"failed: {suite}: {reason}" for suite, reason in results.failed.items()]
    bad += [f"below its floor: {line}" for line in missed_floors(results.figures)]
    if old is not None:
        bad += [f"lost: {line}" for line in losses(results, old)]
        for name in gone(results, old):
            print(f"no longer measured: {name}")
    for line in bad:
        print(line)
    return 1 if bad else 0


def main() -> int:
    known = titles()
    parser = argparse.ArgumentParser("python -m benchmarks", description="Time Earmark against its peers.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="which to run; all by default")
    parser.add_argument("--full", action="store_true", help="larger sizes, more rounds: tens of minutes")
    parser.add_argument("--against", type=Path, metavar="FILE", help="results to compare with (default: the stored)")
    parser.add_argument("--store", action="store_true", help="keep the results as those to compare with")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "bench", metavar="DIR", help="where results go")
    parser.add_argument("--list", action="store_true", help="name the suites and end")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list:
        print("\n".join(f"{name:12s} {title}" for name, title in known.items()))
        return 0
    try:
        for suite in args.suites:
            if suite not in known:
                raise unknown_name("suite", suite, known)
        if args.alone:
            return measure_alone(args.suites[0], args.full)
        return compare(args, args.suites or list(known))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def compare(args: argparse.Namespace, suites: list[str]) -> int:
    """Run, write, judge, and store where that was asked."""
    if args.store and set(suites) != set(titles()):
        raise UserError("--store keeps one run of all suites: leave out the names")
    stored = STORED / f"{'full' if args.full else 'quick'}.json"
    against = args.against or (stored if stored.exists() else None)
    old = read_results(against) if against else None
    results = run(suites, args.full)
    write(results, args.to)
    print(f"written to {args.to}")
    if args.store and not results.failed:
        write(results, STORED)
        print(f"stored in {STORED}")
    return judge(results, old)


if __name__ == "__main__":
    sys.exit(main())
