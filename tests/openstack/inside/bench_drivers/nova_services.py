"""Nova's services in one process, as Nova's own functional tests have them."""

import os
import sys

import nova.virt
import os_vif
from nova import context, service
from nova.compute import rpcapi as compute
from nova.conductor import rpcapi as conductor
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler

from bench_drivers import nova_fake


def start():
    os_vif.initialize()
    _offer("bench_fake", nova_fake)
    if os.environ["BENCH_DRIVERS"] == "bench":
        from bench_drivers import nova_bench

        _offer("bench_bench", nova_bench)
    for binary, topic, other in (
        ("nova-conductor", conductor.RPC_TOPIC, None),
        ("nova-scheduler", scheduler.RPC_TOPIC, None),
        ("nova-compute", compute.RPC_TOPIC, getattr(compute, "RPC_TOPIC_ALT", None)),
    ):
        service.Service.create(binary=binary, topic=topic, topic_alt=other).start()
    host_mapping.discover_hosts(context.get_admin_context())


def _offer(name, module):
    """Nova takes a driver below nova.virt only."""
    sys.modules[f"nova.virt.{name}"] = module
    setattr(nova.virt, name, module)
