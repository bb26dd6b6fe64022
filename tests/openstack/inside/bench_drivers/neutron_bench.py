"""Neutron's word carried out: security groups and floating addresses as the bench's nft rules.

Every change of a port, group, rule or floating address has all rules said anew, a moment later.
"""

import threading

from neutron_lib import context
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants, directory
from oslo_log import log

from bench_drivers import neutron_fake
from bench_drivers.machines import ask

LOG = log.getLogger(__name__)
WATCHED = (
    resources.PORT,
    resources.SECURITY_GROUP,
    resources.SECURITY_GROUP_RULE,
    resources.FLOATING_IP,
)
ANY = "0.0.0.0/0"
ALL = [{"sources": [ANY], "protocol": None, "ports": None}]


def said():
    """What may enter each machine, and which private address is behind each public one."""
    admin = context.get_admin_context()
    core, l3 = directory.get_plugin(), directory.get_plugin(constants.L3)
    ports = [
        one
        for one in core.get_ports(admin)
        if one["device_owner"].startswith("compute:") and one["fixed_ips"]
    ]
    own = {one["id"]: one["fixed_ips"][0]["ip_address"] for one in ports}
    members = {}
    for port in ports:
        for group in port["security_groups"]:
            members.setdefault(group, []).append(own[port["id"]])
    rules = [
        one
        for one in core.get_security_group_rules(admin)
        if one["direction"] == "ingress" and one["ethertype"] == "IPv4"
    ]
    allowed = {
        own[port["id"]]: [
            _rule(one, members)
            for one in rules
            if one["security_group_id"] in port["security_groups"]
        ]
        if port.get("port_security_enabled", True)
        else ALL
        for port in ports
    }
    publics = {
        one["floating_ip_address"]: own[one["port_id"]]
        for one in l3.get_floatingips(admin)
        if one["port_id"] in own
    }
    return {"allowed": allowed, "publics": publics}


def _rule(rule, members):
    if rule["remote_group_id"]:
        sources = members.get(rule["remote_group_id"], [])
    else:
        sources = [rule["remote_ip_prefix"] or ANY]
    low, high = rule["port_range_min"], rule["port_range_max"]
    has_ports = rule["protocol"] in ("tcp", "udp") and low is not None
    return {
        "sources": sources,
        "protocol": rule["protocol"],
        "ports": [low, high] if has_ports else None,
    }


class MechDriver(neutron_fake.MechDriver):
    def initialize(self):
        self.changed = threading.Event()
        for resource in WATCHED:
            for moment in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
                registry.subscribe(self._note, resource, moment)
        threading.Thread(target=self._work, daemon=True).start()

    def _note(self, *words, **more):
        self.changed.set()

    def _work(self):
        last = None
        while True:
            self.changed.wait(5)
            self.changed.clear()
            try:
                now = said()
                if now != last:
                    ask("rules", **now)
                    last = now
            except Exception:
                LOG.exception("rules")
