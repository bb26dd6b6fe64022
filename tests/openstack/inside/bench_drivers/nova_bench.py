"""Servers that are real: Debian machines of roost's bench."""

import base64
import io
import json
import threading
import time

from nova.api.metadata import base as instance_metadata
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import configdrive, driver, event, hardware

from bench_drivers import nova_fake
from bench_drivers.machines import ask


def layers_of(context, image):
    """The manifest of an image."""
    return json.loads(b"".join(glance.API().download(context, image)))["layers"]


def volumes_of(block_device_info):
    """The one that the server boots from, if it does, and the others."""
    root, others = None, []
    for one in driver.block_device_info_get_mapping(block_device_info):
        volume = one["connection_info"]["data"]["volume_id"]
        if one.get("boot_index") == 0:
            root = volume
        else:
            others.append({"volume": volume, "device": one["mount_device"]})
    return root, others


def drive_of(instance, network_info, files, password):
    """The files of its config drive, where it has one."""
    if not configdrive.required_by(instance):
        return None
    extra = {"admin_pass": password} if password else {}
    said = instance_metadata.InstanceMetadata(
        instance, content=files, extra_md=extra, network_info=network_info
    )
    found = {}
    for path, content in said.metadata_for_config_drive():
        whole = content if isinstance(content, bytes) else content.encode()
        found[path] = base64.b64encode(whole).decode()
    return found


class Driver(nova_fake.Driver):
    def init_host(self, host):
        super().init_host(host)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        """A machine that switched itself off is said so to Nova, which then calls it SHUTOFF."""
        before = {}
        while True:
            time.sleep(1)
            try:
                now = self._power()
            except Exception:
                continue  # the machines' process is not there yet, or not any more
            for uuid in [u for u, on in before.items() if on and now.get(u) is False]:
                self.emit_event(event.LifecycleEvent(uuid, event.EVENT_LIFECYCLE_STOPPED))
            before = now

    def _power(self):
        """Whether each of this host's servers is on."""
        return {u: one["on"] for u, one in ask("machines").items() if u in self.instances}

    # --- life -------------------------------------------------------------------------------

    def _boot(self, instance, network_info, disks, *, layers=None, files=None, password=None):
        """``layers`` are of a new server; one of before has its own disk."""
        root, volumes = volumes_of(disks)
        ask(
            "boot",
            id=instance.uuid,
            tenant=instance.project_id,
            private=network_info[0]["network"]["subnets"][0]["ips"][0]["address"],
            mac=network_info[0]["address"],
            layers=layers,
            memory=instance.flavor.memory_mb * 2**20,
            cpus=instance.flavor.vcpus,
            volumes=volumes,
            root=root,
            bus=instance.system_metadata.get("image_hw_disk_bus", "virtio"),
            drive=drive_of(instance, network_info, files, password),
        )

    def spawn(
        self,
        context,
        instance,
        image_meta,
        injected_files,
        admin_password,
        allocations,
        network_info=None,
        block_device_info=None,
        power_on=True,
        accel_info=None,
    ):
        super().spawn(
            context,
            instance,
            image_meta,
            injected_files,
            admin_password,
            allocations,
            network_info,
            block_device_info,
            power_on,
            accel_info,
        )
        try:
            root, _ = volumes_of(block_device_info)
            self._boot(
                instance,
                network_info,
                block_device_info,
                layers=None if root else layers_of(context, image_meta.id),
                files=injected_files,
                password=admin_password,
            )
        except Exception:
            super().destroy(context, instance, network_info, block_device_info)
            raise

    def destroy(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        destroy_disks=True,
        destroy_secrets=True,
    ):
        ask("destroy" if destroy_disks else "off", id=instance.uuid)
        super().destroy(context, instance, network_info, block_device_info, destroy_disks)

    def power_off(self, instance, timeout=0, retry_interval=0):
        ask("off", id=instance.uuid)
        super().power_off(instance, timeout, retry_interval)

    def power_on(self, context, instance, network_info, block_device_info=None, *more, **named):
        self._boot(instance, network_info, block_device_info)
        super().power_on(context, instance, network_info, block_device_info, *more, **named)

    def reboot(self, context, instance, network_info, reboot_type, block_device_info=None, **more):
        if reboot_type == "SOFT":
            ask("reboot", id=instance.uuid)
        else:
            ask("off", id=instance.uuid)
            self._boot(instance, network_info, block_device_info)

    def get_info(self, instance, use_cache=True):
        found = ask("machines").get(instance.uuid)
        if found is None:
            return super().get_info(instance, use_cache)
        state = power_state.RUNNING if found["on"] else power_state.SHUTDOWN
        return hardware.InstanceInfo(state=state)

    def get_console_output(self, context, instance):
        """Nova takes ASCII only."""
        return ask("console", id=instance.uuid).encode("ascii", "replace").decode()

    # --- another size -----------------------------------------------------------------------

    def migrate_disk_and_power_off(self, context, instance, *words, **more):
        ask("off", id=instance.uuid)
        return super().migrate_disk_and_power_off(context, instance, *words, **more)

    def finish_migration(
        self,
        context,
        migration,
        instance,
        disk_info,
        network_info,
        image_meta,
        resize_instance,
        allocations,
        block_device_info=None,
        power_on=True,
        **more,
    ):
        super().spawn(
            context,
            instance,
            image_meta,
            None,
            None,
            allocations,
            block_device_info=block_device_info,
            power_on=power_on,
        )
        if power_on:
            self._boot(instance, network_info, block_device_info)

    def finish_revert_migration(
        self,
        context,
        instance,
        network_info,
        migration,
        block_device_info=None,
        power_on=True,
        **more,
    ):
        super().finish_revert_migration(
            context, instance, network_info, migration, block_device_info, power_on
        )
        if power_on:
            self._boot(instance, network_info, block_device_info)

    # --- disks ------------------------------------------------------------------------------

    def snapshot(self, context, instance, image_id, update_task_state):
        layers = ask("save", id=instance.uuid, image=image_id)
        update_task_state(task_state=task_states.IMAGE_UPLOADING)
        form = {"disk_format": "raw", "container_format": "bare"}
        manifest = io.BytesIO(json.dumps({"layers": layers}).encode())
        glance.API().update(context, image_id, form, manifest, purge_props=False)

    def attach_volume(self, context, connection_info, instance, mountpoint, *words, **more):
        volume = connection_info["data"]["volume_id"]
        ask("attach", id=instance.uuid, volume=volume, device=mountpoint)
        super().attach_volume(context, connection_info, instance, mountpoint, *words, **more)

    def detach_volume(self, context, connection_info, instance, mountpoint, *words, **more):
        ask("detach", id=instance.uuid, volume=connection_info["data"]["volume_id"])
        super().detach_volume(context, connection_info, instance, mountpoint, *words, **more)
