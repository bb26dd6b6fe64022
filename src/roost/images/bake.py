"""Make an image of a machine: the use case of `roost image bake`.

Each look sees all that was made so far, and the plan says what is next: a roost that is killed
anywhere goes on by the same command.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.errors import (
    CapacityError,
    NeedsConfirmationError,
    NotFoundError,
    QuotaError,
    SetupError,
    UsageError,
    command_line,
)
from roost.home import NAME_RULE, SHOWN, is_name
from roost.images.plan import BakePlan, plan_bake, plan_cleanup
from roost.machine.clean import KEPT_IN_HOMES
from roost.model.images import BakedImage, BakeRequest
from roost.model.resources import GATEWAY
from roost.providers.provider import need
from roost.reconcile.loop import Goal, run_loop

if TYPE_CHECKING:
    from roost.model.images import BakeState, BakeStep
    from roost.model.resources import Instance, State
    from roost.providers.images import ImageBuild, Images
    from roost.session import Session
    from roost.spec import Spec

FIRST = ("desktop", "head", "seat", "worker", "gateway")
"""Of which role the machine is that is baked, if none is named."""
MOST_TRIES = 40
"""The limit for one step to come back: clouds are slow to show what was made of an image."""
CONSOLE_LINES = 12
KEPT = (
    "homes are left out of the image, but for software in"
    f" {', '.join(f'~/{name}' for name in KEPT_IN_HOMES)}"
)


def bake(
    session: Session, name: str, *, node: str | None = None, image: str | None = None
) -> BakedImage:
    """Make ``image`` of one machine of ``name``, with nothing personal in it.

    Raises SetupError with the console's last lines where the helper fails, CapacityError or
    QuotaError where it has no room: then nothing of it is left. Raises UsageError where the cloud
    makes no images, NotFoundError, NeedsConfirmationError, CloudError.
    """
    cloud = resolve.locate(session, name)
    images = need(cloud.can.images, "make an image", cloud)
    with resolve.held(session, cloud, name) as state:
        spec = resolve.spec_in(cloud, state)
        instance = _choose(state, node)
        request = _request(spec, instance, image_name(image or _default(name, instance)))
        build = images.build(request)
        session.say(KEPT)
        _confirm(session, build, state, instance)
        return _make(session, images, request, build)


def image_name(name: str, next: str = "--as my-image") -> str:  # noqa: A002
    """Return the name of an image. Raises UsageError where it cannot be one."""
    if not is_name(name):
        raise UsageError(f'"{name[:SHOWN]}" is no name for an image ({NAME_RULE})', next=next)
    return name


def _choose(state: State, node: str | None) -> Instance:
    """Return the machine that was named, or the first. Raises NotFoundError, UsageError."""
    there = [i for i in state.instances if i.state != "deleting"]
    if not there:
        raise NotFoundError(
            f"{state.name} has no machine now, so there is nothing to make an image of",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    named = [i for i in there if node in (None, i.name)]
    if node == GATEWAY:
        raise UsageError("a gateway has nothing that an image would keep")
    if not named:
        names = ", ".join(i.name for i in there)
        raise NotFoundError(f"{state.name} has no instance {node}. There are: {names}")
    instance = min(named, key=lambda i: FIRST.index(i.role))
    if instance.shape.spot:
        raise UsageError(
            f"{instance.name} is a spot machine, which cannot be stopped",
            next="spot = false in the file, for as long as it takes to make the image",
        )
    return instance


def _default(name: str, instance: Instance) -> str:
    """Workers install other things than their head, so theirs is another image."""
    return f"{name}-worker" if instance.role == "worker" else name


def _request(spec: Spec, instance: Instance, image: str) -> BakeRequest:
    from roost.recipes.digest import recipe_digest, system_of

    return BakeRequest(
        image=image,
        instance=instance.id,
        made_from=f"{spec.name} {instance.name}",
        recipe=recipe_digest(spec, instance.role),
        system=system_of(spec, instance.role),
        spec=spec,
    )


def _confirm(session: Session, build: ImageBuild, state: State, instance: Instance) -> None:
    """Stop a machine that runs only after a yes; unless its disk is copied already."""
    if instance.state not in ("running", "pending") or build.observe(state.name).sources:
        return
    refused = NeedsConfirmationError(
        f"{instance.name} is {instance.state}, and has to be stopped while its disk is copied",
        exists=state.conditions,
        next=command_line("roost", "image", "bake", state.name, "--yes"),
    )
    question = f"Stop {instance.name}, and start it again when its disk is copied?"
    session.consent.ask(question, refused)


def _make(session: Session, images: Images, request: BakeRequest, build: ImageBuild) -> BakedImage:
    """Reconcile until there is nothing but the image; or, where it fails, nothing of it."""
    watch = _teller(session)

    def drive(build: ImageBuild, plan: Callable[[BakeState], BakePlan]) -> BakeState:
        goal = Goal(plan=plan, watch=watch, explain=lambda step: step.explanation, tries=MOST_TRIES)
        return run_loop(build, request.image, goal)

    whole = images.build(request, whole=True)
    try:
        image = drive(build, partial(_next, request.image)).finished
    except (SetupError, CapacityError, QuotaError) as error:
        session.say(f"{error.what.splitlines()[0]}; cleaning up")
        drive(whole, partial(plan_cleanup, keep=""))
        raise
    drive(whole, partial(plan_cleanup, keep=image))
    return whole.result(image)


def _next(image: str, state: BakeState) -> BakePlan:
    """Return the plan. Raises SetupError where no image can come of it."""
    plan = plan_bake(state)
    if not plan.problem:
        return plan
    console = next((h.console for h in state.helpers if h.console), "")
    lines = [f"    {line}" for line in console.splitlines()[-CONSOLE_LINES:]]
    raise SetupError(
        "\n".join([f"image {image}: {plan.problem}", *lines]),
        next="the same command tries again; the machine itself is as it was",
    )


def _teller(session: Session) -> Callable[[BakeState, BakeStep | None], None]:
    """Return what tells each step and each note of the cloud once."""
    told: set[BakeStep | str] = set()

    def watch(state: BakeState, step: BakeStep | None) -> None:
        for news in (*state.notes, *((step,) if step else ())):
            if news not in told:
                told.add(news)
                session.say(str(news))

    return watch
