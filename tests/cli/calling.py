"""How the tests call roost, and what comes back."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[2]
OUTPUTS = REPO / "schema" / "output"


@dataclass(frozen=True)
class Ran:
    """What a call of roost came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Roost = Callable[..., Ran]
