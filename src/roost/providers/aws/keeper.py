"""The calls that write the record of a name, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roost.errors import CloudError, command_line
from roost.model.owner import Owner
from roost.model.record import read_record
from roost.model.resources import Backup
from roost.providers.aws import record, requests, tags
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import kind_of, taken
from roost.providers.aws.ownership import Callers, description


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes the record of one name; ``memory`` has seen it just now."""

    calls: Calls
    memory: Memory
    name: str
    callers: Callers

    def settings(self, text: str) -> None:
        """Write the settings: the first make the template; later ones are a new version of it."""
        memory, made = self.memory, None
        if memory.record is None:
            key = self.callers.key()
            users, told = read_record(text).tags, description(None, key)
            asked = requests.create_template(self.name, text, users, key, told)
            made = self.calls.unless_there(self.calls.ec2.create_launch_template, **asked)
            if made is None:
                self._meet()
        if made is not None:
            writer = str(made["LaunchTemplate"].get("CreatedBy", ""))
            memory.kept = record.Kept(text, version=1, owner=Owner(caller=writer, key=key))
        else:
            # Before the settings: killed in between, the same command writes both again.
            if tags.follows(text) != tags.follows(memory.record):
                self._tag({tags.FOLLOWS: tags.follows(text)})
            self._write(replace(memory.kept, record=text))
        memory.record = text

    def backups(self, backups: tuple[Backup, ...]) -> None:
        """Write down which copies a name comes back from. Raises CloudError without a record."""
        if self.memory.record is None:
            raise CloudError(
                f"the record of {self.name} is missing: roost cannot note which copies it comes"
                " back from; nothing was deleted",
                next="roost up FILE   (makes it again), then: "
                + command_line("roost", "park", self.name),
            )
        kept = self.memory.kept
        self._write(replace(kept, record=self.memory.record, backups=backups, unread=False))

    def take_over(self) -> None:
        """Write whoever runs roost as the owner."""
        self.memory.kept = replace(self.memory.kept, owner=None)
        self._write(self.memory.kept)

    def _meet(self) -> None:
        """Take the record that is there though no look showed it. Raises CloudError for others'.

        An answer of ours was lost, or somebody makes the same name at the same time.
        """
        if not record.is_ours(self.calls, self.name):
            raise taken("launch-template", requests.template_name(self.name), self.name)
        self.memory.begun_before = True
        self.memory.kept = record.read(self.calls, self.name)
        owner = self.memory.kept.owner
        if owner is not None and not self.callers.mine(owner, self.memory.kept.record):
            raise CloudError(
                f"{self.name} was made just now by {owner.text}", next="another name in the file"
            )

    def _write(self, kept: record.Kept) -> None:
        """Write a new version. Raises CloudError.

        Who may only start and stop writes no owner into the record of an older roost.
        """
        before = self.memory.kept
        try:
            told = description(before.owner, self.callers.key())
            self.memory.kept = record.write(self.calls, self.name, kept, told)
        except self.calls.ec2.exceptions.ClientError as error:
            same = (kept.record, kept.backups) == (self.memory.record, before.backups)
            if (
                kind_of(error) not in ("access", "organisation")
                or before.owner is not None
                or not same
            ):
                raise
            self.memory.kept = replace(before, owner=Owner())
            return
        owner = self.memory.kept.owner
        if before.owner is None and owner is not None:
            self._tag({tags.OWNER: owner.caller, tags.KEY: owner.key})

    def _tag(self, held: Mapping[str, str]) -> None:
        """Write into the template's tags, where `roost ls` finds it."""
        template = record.template(self.calls, self.name)
        if template is None:
            return
        written = tags.specification("launch-template", held)["Tags"]
        self.calls.ec2.create_tags(Resources=[template["LaunchTemplateId"]], Tags=written)
