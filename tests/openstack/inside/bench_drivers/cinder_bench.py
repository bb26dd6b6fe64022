"""Volumes that are there: sparse files on loop devices; those to boot from are folders."""

import io
import json

from cinder import interface

from bench_drivers import cinder_fake
from bench_drivers.machines import ask


@interface.volumedriver
class Driver(cinder_fake.Driver):
    def create_volume(self, volume):
        super().create_volume(volume)  # it may be told to fail
        ask("volume", id=volume.id, gib=volume.size)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        file = io.BytesIO()
        image_service.download(context, image_meta["id"], file)
        manifest = json.loads(file.getvalue())
        if "layers" in manifest:
            ask("system_volume", id=volume.id, layers=manifest["layers"])
        else:
            ask("volume", id=volume.id, gib=volume.size, snapshot=manifest["copy"])
        return {}, True

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        """As Nova's images, one of a volume is a manifest: it names a copy, which stays."""
        ask("snapshot", volume=volume.id, id=image_meta["id"])
        manifest = io.BytesIO(json.dumps({"copy": image_meta["id"]}).encode())
        image_service.update(context, image_meta["id"], {}, manifest)

    def create_volume_from_snapshot(self, volume, snapshot):
        ask("volume", id=volume.id, gib=volume.size, snapshot=snapshot.id)

    def create_cloned_volume(self, volume, src_vref):
        ask("volume", id=volume.id, gib=volume.size, source=src_vref.id)

    def delete_volume(self, volume):
        ask("delete_volume", id=volume.id)

    def extend_volume(self, volume, new_size):
        ask("grow", id=volume.id, gib=new_size)

    def create_snapshot(self, snapshot):
        ask("snapshot", volume=snapshot.volume_id, id=snapshot.id)

    def delete_snapshot(self, snapshot):
        ask("delete_snapshot", id=snapshot.id)
