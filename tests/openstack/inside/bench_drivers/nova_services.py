"""Nova's services in one process, as Nova's own functional tests have them."""

import os
import sys

import nova.virt
import os_vif
from nova import context, service
from nova.compute import rpcapi as compute
from nova.conductor import rpcapi as conductor
from nova.conf import CONF
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler
from nova.virt import block_device

from bench_drivers import nova_fake

HOSTS = os.environ["BENCH_HOSTS"].split()


class _Conf:
    """Nova's settings where a volume is attached and detached: there each host is this one."""

    def __init__(self):
        self.host = _Here(CONF.host)

    def __getattr__(self, name):
        return getattr(CONF, name)


class _Here(str):
    """The name of any of the hosts."""

    __slots__ = ()

    def __eq__(self, other):
        return other in HOSTS

    __hash__ = str.__hash__


def start():
    os_vif.initialize()
    _offer("bench_fake", nova_fake)
    if os.environ["BENCH_DRIVERS"] == "bench":
        from bench_drivers import nova_bench

        _offer("bench_bench", nova_bench)
    service.Service.create(binary="nova-conductor", topic=conductor.RPC_TOPIC).start()
    service.Service.create(binary="nova-scheduler", topic=scheduler.RPC_TOPIC).start()
    of_host = {"topic": compute.RPC_TOPIC, "topic_alt": getattr(compute, "RPC_TOPIC_ALT", None)}
    own = CONF.host
    for host in HOSTS:
        CONF.set_override("host", host)  # some of a compute service asks this, and not itself
        compute_service = service.Service.create(host=host, binary="nova-compute", **of_host)
        compute_service.start()
        _report(compute_service)
    CONF.set_override("host", own)
    block_device.CONF = _Conf()
    host_mapping.discover_hosts(context.get_admin_context())


def _report(started):
    """Say at once that it is up. It would in five seconds; until then it is as old as its database,
    and whoever asks for a machine is told that there is no valid host.
    """
    started.service_ref.report_count += 1
    started.service_ref.save()


def _offer(name, module):
    """Nova takes a driver below nova.virt only."""
    sys.modules[f"nova.virt.{name}"] = module
    setattr(nova.virt, name, module)
