"""The life of an instance: it boots, stops, reboots, ends, by EC2's calls or by itself.

What the calls may do and when is from the EC2 user guide ("Instance lifecycle").
"""

from __future__ import annotations

import copy
import json
import threading
import time
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance

from tests.aws.moto_account import with_way_out
from tests.bench.ebs import MOMENT, BenchEbs, refused
from tests.bench.site import Order
from tests.bench.tree import metadata

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}
CODES |= {"stopping": 64, "stopped": 80}
BEGINNING = 120
"""So many seconds a machine may take before its status checks have failed."""


class BenchLife(BenchEbs):
    """``notices`` is what spot machines are told, ``room`` how many more there are of a type."""

    def __init__(self, region_name: str, account_id: str) -> None:
        self.notices: dict[str, dict[str, Any]] = {}
        self.busy: dict[str, threading.Lock] = {}
        self.room: dict[tuple[str, str], int] = {}
        super().__init__(region_name, account_id)

    def create_default_vpc(self) -> Any:
        """Its way out is there, as AWS makes it."""
        return with_way_out(self)

    def refresh(self) -> None:
        """Firewalls and public addresses as they are now."""
        raise NotImplementedError

    def type_of(self, name: str) -> dict[str, Any]:
        """What EC2 describes of an instance type."""
        found: list[Any] = list(self.describe_instance_types(filters={"instance-type": [name]}))
        if not found:
            raise refused("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        return dict(found[0])

    # --- states -----------------------------------------------------------------------------

    def to(self, instance: Any, state: str) -> None:
        """The instance is in that state now."""
        instance._state.name, instance._state.code = state, CODES[state]

    def _alone(self, instance: Any) -> threading.Lock:
        """What boots a machine and what ends it wait for each other."""
        return self.busy.setdefault(instance.id, threading.Lock())

    def _boot(self, instance: Any) -> None:
        with self._alone(instance):
            if instance.state in ("pending", "running"):  # nobody has ended it meanwhile
                self._booted(instance)

    def _booted(self, instance: Any) -> None:
        began = time.monotonic()
        kind = self.type_of(instance.instance_type)
        order = Order(
            id=instance.id,
            private=instance.private_ip,
            image=self.booted[instance.id],
            memory=kind["MemoryInfo"]["SizeInMiB"] * 2**20,
            cpus=kind["VCpuInfo"]["DefaultVCpus"],
            tree=lambda: metadata(self, instance),
            strict=lambda: instance.metadata_options.http_tokens == "required",
            ended=lambda how: self.later(self._ended, instance, how),
        )
        try:
            self.site.boot(order, self.attached(instance))
        except Exception:
            instance.state_reason.code = "Server.InternalError"
            instance.state_reason.message = "Server.InternalError: it did not start"
            self._end(instance)
            raise
        time.sleep(max(0.0, MOMENT - (time.monotonic() - began)))
        with self.lock:
            if instance.state == "pending":
                self.to(instance, "running")
            self.refresh()

    def _ended(self, instance: Any, how: str) -> None:
        """Its first process is gone: it rebooted, or it switched itself off."""
        if how == "reboot" and instance.state in ("running", "pending"):
            self.site.shares.ended(instance.id)
            self._boot(instance)
            return
        with self.lock:
            if instance.state not in ("running", "pending"):
                return  # it was asked to, and who asked waits for it
            ends = instance.instance_initiated_shutdown_behavior == "terminate"
            self.to(instance, "shutting-down" if ends else "stopping")
        why = "Client.InstanceInitiatedShutdown"
        if ends:
            self._terminated(instance)
        else:
            self._stopped(instance)
        instance.state_reason.code = why
        instance.state_reason.message = f"{why}: Instance initiated shutdown"

    def _stopped(self, instance: Any) -> None:
        with self._alone(instance):
            self.site.off(instance.id)
            for volume in self.data_of(instance):
                self.site.disks.release(volume)
            with self.lock:
                if instance.state == "stopping":  # and not ended meanwhile
                    Instance.stop(instance)
                self.refresh()

    def _terminated(self, instance: Any) -> None:
        with self._alone(instance):
            self._end(instance)

    def _end(self, instance: Any) -> None:
        self.site.destroy(instance.id)
        volumes = {m.volume_id: m.delete_on_termination for m in self.mappings(instance).values()}
        with self.lock:
            for address in self.addresses:  # EC2 takes it back; moto does not
                if address.instance is not None and address.instance.id == instance.id:
                    address.instance = address.eni = address.association_id = None
            reason = copy.copy(instance.state_reason)
            Instance.terminate(instance)
            if reason.code:
                instance.state_reason = reason
            for volume, gone in volumes.items():
                self.site.disks.delete(volume) if gone else self.site.disks.release(volume)
            self.booted.pop(instance.id, None)
            self.collect()
            self.refresh()

    def reachability(self, instance: Any) -> tuple[str, str]:
        """The two words of a status check; two minutes are given to a machine that begins."""
        if self.site.answers(instance.id):
            return "ok", "passed"
        young = (utcnow() - instance.launch_time).total_seconds() < BEGINNING
        return ("initializing", "initializing") if young else ("impaired", "failed")

    # --- power ------------------------------------------------------------------------------

    def start_instances(self, instance_ids: list[str]) -> Any:
        """Only what is stopped, and where there is room."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.state not in ("stopped", "running", "pending"):
                    raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
                if self.room.get((one.instance_type, str(one.placement.zone))) == 0:
                    raise refused("InsufficientInstanceCapacity", "we have none now")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name == "stopped":
                    one.start()  # moto's: a new public address
                    self._keep_address(one)
                    one.launch_time = utcnow()
                    self.to(one, "pending")
                    self.later(self._boot, one)
            return before

    def _keep_address(self, instance: Any) -> None:
        """An Elastic IP stays through stop and start; moto gives another address."""
        for address in self.addresses:
            held: Any = address.instance
            if held is instance:
                instance.nics[0].public_ip = address.public_ip

    def stop_instances(self, instance_ids: list[str]) -> Any:
        """Not spot machines, and nothing that is only beginning."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.lifecycle == "spot":
                    raise refused("UnsupportedOperation", "a one-time spot instance")
                if one.state not in ("running", "stopping", "stopped"):
                    raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name == "running":
                    self.to(one, "stopping")
                    self.later(self._stopped, one)
            return before

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """Their disks go with them, data volumes are free again when they are gone."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.disable_api_termination is True:
                    raise refused("OperationNotPermitted", f"{one.id} is protected")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name not in ("terminated", "shutting-down"):
                    self.to(one, "shutting-down")
                    self.later(self._terminated, one)
            return before

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        """As with Ctrl-Alt-Del."""
        found = self.get_multi_instances_by_id(instance_ids)
        for one in found:
            if one.state != "running":
                raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
        for one in found:
            self.site.machines[one.id].reboot()
        return found

    def recommend(self, one: str) -> None:
        """EC2 says that a spot machine may soon be taken back."""
        notice = json.dumps({"noticeTime": _stamp(0)})
        self.notices.setdefault(one, {})["events"] = {"recommendations": {"rebalance": notice}}

    def take_back(self, one: str, seconds: float) -> None:
        """EC2 says that it takes a spot machine back, and does so after that time."""
        instance = self.get_instance(one)
        notice = json.dumps({"action": "terminate", "time": _stamp(seconds)})
        self.notices.setdefault(one, {})["spot"] = {"instance-action": notice}

        def work() -> None:
            time.sleep(seconds)
            with self.lock:
                if instance.state != "running":
                    return
                self.to(instance, "shutting-down")
                code = "Server.SpotInstanceTermination"
                instance.state_reason.code = code
                instance.state_reason.message = f"{code}: Spot instance termination"
            self._terminated(instance)

        self.later(work)


def _stamp(later: float) -> str:
    return (utcnow() + timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%SZ")
