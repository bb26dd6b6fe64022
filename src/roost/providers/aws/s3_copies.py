"""The volumes that have a copy in S3, in the tags of the launch template that keeps the record.

They outlive `park` there, and go with the record. One call writes all of a copy, so that it is
there whole or not at all.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

from roost.errors import CloudError, RoostError, command_line
from roost.model.resources import S3Copy
from roost.providers.aws import record, tags
from roost.providers.aws.client import Calls

KEY = "roost:stored:"
"""Begins the keys of these tags: the volume's name follows, and a number where one is too short."""
VERSION = "1"
OTHERS = 12
"""Tags that are left for the record itself, and for the history of what it cost."""


# --- pure ---------------------------------------------------------------------------------------


def as_tags(copy: S3Copy) -> dict[str, str]:
    """Return one copy as one tag or, with a long place, a few."""
    words = (
        VERSION,
        "sealed" if copy.sealed else "open",
        copy.source,
        repr(copy.since),
        repr(copy.taken),
        f"{copy.size_gib:g}",
        f"{copy.used_gib:g}",
        copy.region,
        copy.endpoint,
        urlsafe_b64encode(bytes.fromhex(copy.sha256)).decode().rstrip("="),
        copy.place,
        copy.tree.removeprefix(copy.place),
    )
    text = " ".join(quote(word, safe="/:") or "-" for word in words)
    room = tags.LONGEST - 3
    parts = [text[at : at + room] for at in range(0, len(text), room)]
    first = {f"{KEY}{copy.name}": f"{len(parts)} {parts[0]}"}
    return first | {f"{KEY}{copy.name}:{n}": part for n, part in enumerate(parts[1:], 2)}


def in_tags(found: Iterable[Mapping[str, str]] | None) -> tuple[S3Copy, ...]:
    """Return the copies in the tags of a launch template, by their names.

    Raises CloudError where one cannot be read: without it a volume would be made empty.
    """
    held = {k[len(KEY) :]: v for k, v in tags.read(found).items() if k.startswith(KEY)}
    return tuple(_copy(name, held) for name in sorted(held) if ":" not in name)


def _copy(name: str, held: Mapping[str, str]) -> S3Copy:
    try:
        count, _, text = held[name].partition(" ")
        more = [held[f"{name}:{n}"] for n in range(2, int(count) + 1)]
        words = ["" if word == "-" else unquote(word) for word in "".join([text, *more]).split(" ")]
        version, sealed, source, since, taken, size, used, *rest = words
        region, endpoint, sha, place, tree = rest
        if version != VERSION or sealed not in ("sealed", "open"):
            raise ValueError(version)
        return S3Copy(
            name=name,
            source=source,
            place=place,
            tree=tree if tree.startswith("s3://") else place + tree,
            sha256=urlsafe_b64decode(sha + "=" * (-len(sha) % 4)).hex(),
            size_gib=float(size),
            used_gib=float(used),
            since=float(since),
            taken=float(taken),
            sealed=sealed == "sealed",
            region=region,
            endpoint=endpoint,
        )
    except (KeyError, ValueError) as error:
        raise CloudError(
            f"the note of volume {name}'s copy in S3 cannot be read ({error}); it may be of a "
            "newer version of roost"
        ) from None


def keys_of(names: Iterable[str], found: Iterable[Mapping[str, str]] | None) -> list[str]:
    """Return the keys of the tags that are about these volumes."""
    wanted = set(names)
    held = [key for key in tags.read(found) if key.startswith(KEY)]
    return [key for key in held if key[len(KEY) :].partition(":")[0] in wanted]


# --- effects ------------------------------------------------------------------------------------


def read(calls: Calls, name: str) -> tuple[S3Copy, ...]:
    """Return the copies of a name. Raises CloudError where one cannot be read."""
    template = record.template(calls, name)
    return in_tags(template["Tags"]) if template else ()


def write(calls: Calls, name: str, copies: Iterable[S3Copy]) -> None:
    """Write these copies, over older notes about the same volumes. Raises CloudError."""
    template = record.template(calls, name)
    if template is None:
        raise CloudError(
            f"the record of {name} is missing: roost cannot note where in S3 its data is; "
            "nothing was deleted",
            next="roost up FILE   (makes it again), then: " + command_line("roost", "park", name),
        )
    new = {key: value for copy in copies for key, value in as_tags(copy).items()}
    if new.items() <= tags.read(template["Tags"]).items():
        return
    calls.ec2.create_tags(
        Resources=[template["LaunchTemplateId"]],
        Tags=[{"Key": key, "Value": value} for key, value in new.items()],
    )


def forget(calls: Calls, name: str, volumes: Iterable[str]) -> None:
    """Drop what is known of these."""
    template = record.template(calls, name)
    if template is None:
        return
    if keys := keys_of(volumes, template["Tags"]):
        calls.unless_gone(
            calls.ec2.delete_tags,
            Resources=[template["LaunchTemplateId"]],
            Tags=[{"Key": key} for key in keys],
        )


def check_room(calls: Calls, name: str, volumes: Iterable[str]) -> None:
    """Raise RoostError where EC2 has no room for so many copies of one name."""
    template = record.template(calls, name)
    held = tags.read(template["Tags"]) if template else {}
    mine = [key for key in held if not key.startswith(("aws:", "roost:spent:", KEY))]
    known = {key[len(KEY) :].partition(":")[0] for key in held if key.startswith(KEY)}
    wanted = known | set(volumes)
    room = tags.MOST - OTHERS - len(mine)
    if len(wanted) > room:
        raise RoostError(
            f"{len(wanted)} volumes of {name} should be in S3, and the record has room for "
            f"{max(room, 0)}: EC2 allows {tags.MOST} tags, your own included",
            next=command_line("roost", "park", name, "--mode", "snapshot"),
        )
