"""The history of running times, small enough for the tags of one resource. Pure.

A cloud describes what is there now. What was there before is kept here, as batches: so many equal
things that began at one moment, and how many of them ended when. Counting instead of naming makes
it safe to write an entry again: of a batch of `count` things as many have ended as are not there
any more, and an end that was written down and did not happen (a process killed in between) is one
too many and goes.

Times are seconds since 1970 in UTC. Where the moment of an end is not known, the length is a range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

NEAR = 600
"""Seconds by which an end that was written down and the cloud's own word for it may differ."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance while it runs, with its public address."""

    type: str
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """A volume while it exists; `gb` is its size, `iops` and `throughput` (MiB/s) provisioned."""

    type: str
    gb: int
    iops: int | None = None
    throughput: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A snapshot while it exists; `tier` is "standard" or "archive", `gb` its volume's size."""

    gb: int
    tier: str = "standard"


Thing = Machine | Disk | Copy


@dataclass(frozen=True, slots=True)
class Ending:
    """`count` things lasted between `least` and `most` seconds."""

    count: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`count` equal things that began at `since`, and those of them that have ended."""

    thing: Thing
    since: int
    count: int
    endings: tuple[Ending, ...] = ()

    @property
    def ended(self) -> int:
        """The number of things that have ended."""
        return sum(ending.count for ending in self.endings)


@dataclass(frozen=True, slots=True)
class Sum:
    """Old batches in one number: the seconds of all together, as a range."""

    thing: Thing
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The history of one name; `damaged`: some of it could not be read or kept."""

    batches: tuple[Batch, ...] = ()
    sums: tuple[Sum, ...] = ()
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing as the cloud describes it now.

    `on`: it is paid for now. What is not on ended at `ended`, if the cloud says when.
    """

    thing: Thing
    since: int
    on: bool = True
    ended: int | None = None


def reconciled(ledger: Ledger, seen: Iterable[Seen], now: int) -> Ledger:
    """Add all that runs now to the history, and end all that no longer does.

    What ended without anybody's writing it down, and of which the cloud says nothing, lasted
    between 0 s and all the time until `now`.
    """
    there: dict[tuple[Thing, int], list[Seen]] = {}
    for one in _not_resized(seen, ledger.batches):
        there.setdefault((one.thing, one.since), []).append(one)
    batches = {(b.thing, b.since): b for b in _as_large_as_now(ledger.batches, there)}
    for key in there:
        batches.setdefault(key, Batch(key[0], key[1], 0))
    found = (_settled(batch, there.get(key, []), now) for key, batch in batches.items())
    ordered = sorted(found, key=lambda b: (b.since, _words(b.thing)))
    return replace(ledger, batches=tuple(ordered))


def closing(ledger: Ledger, seen: Iterable[Seen], going: Iterable[Seen], now: int) -> Ledger:
    """Return the history once `going`, which still run now, have ended. Pure, and idempotent:
    applied to its own result while they are still on, it gives the same but for the time."""
    whole = reconciled(ledger, seen, now)
    ends = Counter((one.thing, one.since) for one in going if one.on)
    batches = tuple(
        _with_end(b, ends[b.thing, b.since], max(0, now - b.since)) for b in whole.batches
    )
    return replace(whole, batches=batches)


def _not_resized(seen: Iterable[Seen], batches: tuple[Batch, ...]) -> list[Seen]:
    """Leave out stopped machines that have another type now than when they ran."""
    known = {(b.thing, b.since) for b in batches}
    ran = {b.since for b in batches if isinstance(b.thing, Machine)}
    return [
        one
        for one in seen
        if one.on
        or not isinstance(one.thing, Machine)
        or (one.thing, one.since) in known
        or one.since not in ran
    ]


def _as_large_as_now(
    batches: tuple[Batch, ...], there: Mapping[tuple[Thing, int], list[Seen]]
) -> tuple[Batch, ...]:
    """Count a volume that grew with its present size for all its time: it is the same volume."""
    known = {(b.thing, b.since) for b in batches}
    grown = {k[1]: k[0] for k in there if isinstance(k[0], Disk) and k not in known}
    return tuple(
        replace(b, thing=grown[b.since])
        if isinstance(b.thing, Disk) and b.since in grown and (b.thing, b.since) not in there
        else b
        for b in batches
    )


def _settled(batch: Batch, seen: list[Seen], now: int) -> Batch:
    """Give the batch as many endings as it has things that no longer exist."""
    on = sum(one.on for one in seen)
    count = max(batch.count, len(seen))
    gone = count - on
    kept = _first(batch.endings, gone)
    told = [one.ended for one in seen if not one.on and one.ended is not None]
    for ended in _not_in(told, kept, batch.since):
        if sum(e.count for e in kept) < gone:
            kept = _and(kept, Ending(1, max(0, ended - batch.since), max(0, ended - batch.since)))
    missing = gone - sum(e.count for e in kept)
    if missing:
        kept = _and(kept, Ending(missing, 0, max(0, now - batch.since)))
    return replace(batch, count=count, endings=kept)


def _first(endings: tuple[Ending, ...], most: int) -> tuple[Ending, ...]:
    """Return the earliest endings, `most` things in all: the latest ones did not happen."""
    kept: tuple[Ending, ...] = ()
    for ending in sorted(endings, key=lambda e: (e.most, e.least)):
        taken = min(ending.count, most)
        most -= taken
        kept = _and(kept, replace(ending, count=taken)) if taken else kept
    return kept


def _not_in(told: list[int], kept: tuple[Ending, ...], since: int) -> list[int]:
    """Return the endings that the cloud reports and that the history does not have yet."""
    left = [[e.least - NEAR, e.most + NEAR, e.count] for e in kept]
    new = []
    for ended in sorted(told):
        place = next((x for x in left if x[2] and x[0] <= ended - since <= x[1]), None)
        if place is None:
            new.append(ended)
        else:
            place[2] -= 1
    return new


def _with_end(batch: Batch, count: int, lasted: int) -> Batch:
    if not count:
        return batch
    return replace(batch, endings=_and(batch.endings, Ending(count, lasted, lasted)))


def _and(endings: tuple[Ending, ...], new: Ending) -> tuple[Ending, ...]:
    """Add new endings to the others; endings at one moment become one."""
    for place, ending in enumerate(endings):
        if (ending.least, ending.most) == (new.least, new.most):
            both = replace(ending, count=ending.count + new.count)
            return (*endings[:place], both, *endings[place + 1 :])
    return (*endings, new)


def lasted(ledger: Ledger, now: int) -> dict[Thing, tuple[int, int]]:
    """Return the seconds of all things of a kind together, at least and at most, until `now`."""
    found: dict[Thing, tuple[int, int]] = {}

    def add(thing: Thing, least: int, most: int) -> None:
        before = found.get(thing, (0, 0))
        found[thing] = (before[0] + least, before[1] + most)

    for one in ledger.sums:
        add(one.thing, one.least, one.most)
    for batch in ledger.batches:
        running = (batch.count - batch.ended) * max(0, now - batch.since)
        least = sum(e.count * e.least for e in batch.endings)
        most = sum(e.count * e.most for e in batch.endings)
        add(batch.thing, running + least, running + most)
    return found


# --- as text -------------------------------------------------------------------------------------

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LOST = "@"
"""Stands for what could not be kept; no word that can be read."""


def write(ledger: Ledger, seen: Iterable[Seen], texts: int, length: int) -> tuple[str, ...]:
    """Write the history as at most `texts` texts of at most `length` characters.

    Where it is too long, the batches that have wholly ended become sums, the oldest first, but not
    those of what is still to be `seen`; where it is too long all the same, it says of itself that
    something is missing.
    """
    keep = {(one.thing, one.since) for one in seen}
    while True:
        words = _all_words(ledger)
        packed = _packed(words, length)
        if len(packed) <= texts:
            return packed
        folded = _folded(ledger, keep)
        if folded is None:
            return _packed([_LOST, *words], length)[:texts]
        ledger = folded


def read(texts: Iterable[str]) -> Ledger:
    """Read the texts of `write`, in any order; an unreadable one makes the ledger `damaged`."""
    batches: list[Batch] = []
    sums: list[Sum] = []
    damaged = False
    for word in (word for text in texts for word in text.split()):
        try:
            found = _read_word(word)
        except (ValueError, IndexError):
            damaged = True
            continue
        if isinstance(found, Batch):
            batches.append(found)
        else:
            sums.append(found)
    batches.sort(key=lambda b: (b.since, _words(b.thing)))
    return Ledger(tuple(batches), tuple(sums), damaged)


def _all_words(ledger: Ledger) -> list[str]:
    damaged = [_LOST] if ledger.damaged else []
    sums = [f"{_words(s.thing)}:{_range(s.least, s.most)}" for s in ledger.sums]
    return [*damaged, *sums, *(_batch_word(batch) for batch in ledger.batches)]


def _batch_word(batch: Batch) -> str:
    ends = "/".join(f"{_number(e.count)}+{_range(e.least, e.most)}" for e in batch.endings)
    head = f"{_words(batch.thing)}:{_number(batch.since)}:{_number(batch.count)}"
    return f"{head}:{ends}"


def _read_word(word: str) -> Batch | Sum:
    kind, *parts = word.split(":")
    thing = _read_thing(kind)
    if len(parts) == 1:
        return Sum(thing, *_read_range(parts[0]))
    since, count, ends = parts
    endings = tuple(_read_ending(end) for end in ends.split("/") if end)
    batch = Batch(thing, int(since, 36), int(count, 36), endings)
    if batch.ended > batch.count:
        raise ValueError(word)
    return batch


def _read_ending(text: str) -> Ending:
    count, _, seconds = text.partition("+")
    return Ending(int(count, 36), *_read_range(seconds))


def _words(thing: Thing) -> str:
    """Write the thing as one word: `m/m7i.xlarge`, `d/gp3/100/3000/125`, `c/archive/40`."""
    match thing:
        case Machine(name, spot):
            return f"{'s' if spot else 'm'}/{name}"
        case Disk(name, gb, iops, throughput):
            speed = ["" if n is None else str(n) for n in (iops, throughput)]
            return "/".join(["d", name, str(gb), *speed]).rstrip("/")
        case Copy(gb, tier):
            return f"c/{tier}/{gb}"


def _read_thing(text: str) -> Thing:
    kind, name, *more = text.split("/")
    if kind in ("m", "s") and name and not more:
        return Machine(name, kind == "s")
    if kind == "d":
        gb, iops, throughput = (*more, "", "")[:3]
        return Disk(name, int(gb), *(int(n) if n else None for n in (iops, throughput)))
    if kind == "c":
        return Copy(int(more[0]), name)
    raise ValueError(text)


def _range(least: int, most: int) -> str:
    return _number(least) if least == most else f"{_number(least)}-{_number(most)}"


def _read_range(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    return int(least, 36), int(most or least, 36)


def _number(found: int) -> str:
    """Write a number in base 36: six characters for a moment."""
    text = ""
    while found:
        found, digit = divmod(found, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def _packed(words: list[str], length: int) -> tuple[str, ...]:
    """Pack words into as few lines as possible, in their order; drop a word that is too long."""
    lines: list[str] = []
    for word in (_LOST if len(word) > length else word for word in words):
        if lines and len(lines[-1]) + 1 + len(word) <= length:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return tuple(lines)


def _folded(ledger: Ledger, keep: Set[tuple[Thing, int]]) -> Ledger | None:
    """Fold the oldest wholly ended batch into a sum; None where there is none.

    A batch of which something can still be seen stays: it would be counted a second time, and only
    its count can tell which ends were real.
    """
    over = [b for b in ledger.batches if b.ended == b.count and (b.thing, b.since) not in keep]
    if not over:
        return None
    oldest = min(over, key=lambda b: b.since)
    sums = {s.thing: s for s in ledger.sums}
    before = sums.get(oldest.thing, Sum(oldest.thing, 0, 0))
    sums[oldest.thing] = Sum(
        oldest.thing,
        before.least + sum(e.count * e.least for e in oldest.endings),
        before.most + sum(e.count * e.most for e in oldest.endings),
    )
    rest = tuple(b for b in ledger.batches if b is not oldest)
    return replace(ledger, batches=rest, sums=tuple(sums.values()))
