"""``python -m tests.malformed --count 10000 --seed 0 [--json FILE]``: malformed sounds through the product."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.malformed.mutate import malformed
from tests.malformed.suite import as_table, judge


def main() -> int:
    """Print tables of outcomes; 1 if anything is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = judge(malformed(arguments.count, arguments.seed))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1))
    print(as_table(found))
    print("\n".join(found["wrong"]))
    print(f"{found['files']} files, {len(found['wrong'])} wrong, {found['largest_process_mib']} MiB at most")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
