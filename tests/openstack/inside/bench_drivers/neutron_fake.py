"""Neutron without agents: every port is up at once, and so is every floating address."""

from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class MechDriver(api.MechanismDriver):
    def initialize(self):
        pass

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        segment = context.segments_to_bind[0]
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS,
            {portbindings.CAP_PORT_FILTER: True},
            status=constants.PORT_STATUS_ACTIVE,
        )


class L3Plugin(l3_router_plugin.L3RouterPlugin):
    def create_floatingip(self, context, floatingip):
        return self._settled(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context, id, floatingip):  # noqa: A002
        return self._settled(context, super().update_floatingip(context, id, floatingip))

    def _settled(self, context, found):
        there = found.get("port_id")
        wanted = constants.FLOATINGIP_STATUS_ACTIVE if there else constants.FLOATINGIP_STATUS_DOWN
        if found.get("status") != wanted:
            self.update_floatingip_status(context.elevated(), found["id"], wanted)
            found["status"] = wanted
        return found
