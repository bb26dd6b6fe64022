"""Volumes that are only in Cinder's database."""

import io
import re
import time

from cinder import exception, interface
from cinder.volume import driver

from bench_drivers import faults

POOL = {
    "pool_name": "bench",
    "total_capacity_gb": 100000,
    "free_capacity_gb": 100000,
    "reserved_percentage": 0,
    "QoS_support": False,
    "multiattach": True,
    "thin_provisioning_support": False,
    "thick_provisioning_support": True,
    "provisioned_capacity_gb": 0,
    "max_over_subscription_ratio": "20.0",
}


@interface.volumedriver
class Driver(driver.VolumeDriver):
    VERSION = "0.1"
    VENDOR_NAME = driver_vendor = "bench"

    def check_for_setup_error(self):
        pass

    def do_setup(self, context):
        pass

    def get_volume_stats(self, refresh=False):
        return {
            "volume_backend_name": "bench",
            "vendor_name": "bench",
            "driver_version": self.VERSION,
            "storage_protocol": "iSCSI",
            "pools": [POOL],
        }

    def create_volume(self, volume):
        said = faults()
        time.sleep(said.get("volume_delay", 0))
        if said.get("volume_fail") and re.search(said["volume_fail"], volume.display_name or ""):
            raise exception.VolumeBackendAPIException(data="a test said so")

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        return {}, True

    def initialize_connection(self, volume, connector, **more):
        data = {
            "target_iqn": f"iqn.2010-10.org.openstack:{volume.name}",
            "target_portal": "127.0.0.1:3260",
            "target_lun": 1,
            "volume_id": volume.id,
            "access_mode": "rw",
        }
        return {"driver_volume_type": "iscsi", "data": data}

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        image_service.update(context, image_meta["id"], {}, io.BytesIO(b"a volume's image"))

    def retype(self, context, volume, new_type, diff, host):
        return True, None

    def _nothing(self, *words, **more):
        pass

    create_volume_from_snapshot = create_cloned_volume = delete_volume = _nothing
    create_snapshot = delete_snapshot = extend_volume = _nothing
    ensure_export = create_export = remove_export = terminate_connection = _nothing
    copy_image_to_volume = _nothing
