"""Nova's own fake driver, with what real servers have and it has not."""

import io
import re
import time
import uuid

from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state
from nova.image import glance
from nova.virt import fake

from bench_drivers import faults

THERE = ("active", "stopped", "paused", "suspended", "resized")


class Driver(fake.FakeDriver):
    # The stock driver makes up a node's id each time, and Nova then refuses a second start.
    def _id(self, node):
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, node))

    def get_nodenames_by_uuid(self, refresh=False):
        return {self._id(node): node for node in self.get_available_nodes()}

    def get_available_resource(self, nodename):
        return super().get_available_resource(nodename) | {"uuid": self._id(nodename)}

    def get_available_node_uuids(self, refresh=False):
        return list(self.get_nodenames_by_uuid())

    def init_host(self, host):
        """Servers of before are there again."""
        super().init_host(host)
        admin = nova_context.get_admin_context()
        for one in objects.InstanceList.get_by_host(admin, host, expected_attrs=["flavor"]):
            if one.vm_state in THERE:
                off = one.vm_state == "stopped"
                state = power_state.SHUTDOWN if off else power_state.RUNNING
                wants = one.flavor
                self.resources.claim(vcpus=wants.vcpus, mem=wants.memory_mb, disk=wants.root_gb)
                self.instances[one.uuid] = fake.FakeInstance(one.name, state, one.uuid)

    def spawn(self, context, instance, *words, **more):
        said, metadata = faults(), instance.metadata or {}
        time.sleep(float(metadata.get("fake_delay", said.get("spawn_delay", 0))))
        named = said.get("spawn_fail")
        if metadata.get("fake_fault") == "spawn" or (
            named and re.search(named, instance.display_name or "")
        ):
            raise exception.InstanceDeployFailure(reason="a test said so")
        return super().spawn(context, instance, *words, **more)

    def snapshot(self, context, instance, image_id, update_task_state):
        """The stock driver never uploads one."""
        super().snapshot(context, instance, image_id, update_task_state)
        form = {"disk_format": "raw", "container_format": "bare"}
        data = io.BytesIO(b"a snapshot of " + instance.uuid.encode())
        glance.API().update(context, image_id, form, data, purge_props=False)

    def get_console_output(self, context, instance):
        return f"console of {instance.display_name}\n"
