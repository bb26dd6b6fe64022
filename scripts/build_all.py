"""Write every generated file of docs/, schema/ and tests/recipes/golden/ anew: `make docs`.

uv run --group dev python scripts/build_all.py

Needs no network. The catalogue, the example's data and the table of IAM actions have scripts of
their own, which read from named sources elsewhere.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from roost.spec.schema import json_schema
from scripts import build_cli_docs, build_plan_picture, build_reference

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "schema" / "roost.schema.json"


def main() -> int:
    """Write all, and print what has changed since the last commit."""
    build_cli_docs.FILE.write_text(build_cli_docs.document())
    SCHEMA.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    build_reference.FILE.write_text(build_reference.document())
    build_plan_picture.FILE.write_text(build_plan_picture.document())
    golden = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "golden", "tests/recipes"],
        cwd=ROOT,
        env={**os.environ, "ROOST_WRITE_GOLDEN": "1"},
        check=False,
    )
    written = ["docs", "schema", "tests/recipes/golden"]
    status = ["git", "status", "--short", *written]
    changed = subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    print(changed or "nothing has changed", end="" if changed else "\n")
    return golden.returncode


if __name__ == "__main__":
    sys.exit(main())
