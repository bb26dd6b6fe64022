"""Cinder's scheduler and volume service in one process."""

from cinder import service
from cinder.common import constants
from oslo_config import cfg


def start():
    service.Service.create(binary="cinder-scheduler", topic="cinder-scheduler").start()
    cfg.CONF.register_opt(cfg.StrOpt("backend_host"), group="bench")
    service.Service.create(
        host=f"{cfg.CONF.host}@bench",
        service_name="bench",
        topic="cinder-volume",
        binary=constants.VOLUME_BINARY,
        coordination=True,
    ).start()
