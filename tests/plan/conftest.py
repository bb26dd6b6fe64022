"""Every step that a planner makes in these tests says why."""

from collections.abc import Iterator
from typing import Any

import pytest

from roost.images.plan import BakePlan
from roost.plan.up import Plan


@pytest.fixture(autouse=True, scope="module")
def every_step_has_a_reason() -> Iterator[None]:
    def checked(plan: type[Any]) -> Any:
        make = plan.__init__

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            for step in self.steps:
                assert step.reason, f"no reason: {step}"

        return init

    with pytest.MonkeyPatch.context() as patch:
        for plan in (Plan, BakePlan):
            patch.setattr(plan, "__init__", checked(plan))
        yield
