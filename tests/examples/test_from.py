"""Files of other tools, said in roost's words: each plans, and names its original."""

from decimal import Decimal
from pathlib import Path

import pytest

from roost.app.plan import Usage, planned
from roost.cli.terminal import session
from roost.model.place import NOWHERE
from tests.walk import each

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "examples" / "from").glob("*.toml"))
USAGE = Usage(hours_a_day=Decimal(4), days=Decimal(30))
PAGE = (ROOT / "docs" / "from-other-tools.md").read_text(encoding="utf-8")


def test_each_plans_and_says_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert len(FILES) >= 8

    def check(file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        plan = planned(session(NOWHERE), str(file), USAGE, diff=False)
        assert plan.plan.refusal is None
        assert len(plan.plan.steps) > 3
        (original,) = (line for line in text.splitlines() if line.startswith("# Original: "))
        assert original.removeprefix("# Original: ") in PAGE
        assert "# Cannot be said yet: " in text
        assert f"(../examples/from/{file.name})" in PAGE

    each(FILES, check, lambda file: file.name)
