"""One service of OpenStack in this process: ``run_service.py NAME PORT``. It ends with its stdin.

It runs in the services' own environment (tests/openstack/install.py), where roost is not.
"""

import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request

CONF, STATE = os.environ["BENCH_CONF"], os.environ["BENCH_STATE"]
ISSUER = "https://aai.egi.eu/auth/realms/egi"
EGI = re.compile(r"^/v3/OS-FEDERATION/identity_providers/egi\.eu/protocols/(openid|oidc)/auth$")


def end_with_parent():
    """Whoever started this holds the other end of its stdin, and may be killed."""

    def wait():
        os.read(0, 1)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def writers_begin_at_once():
    """Let those who will write say so when they begin (BEGIN IMMEDIATE).

    oslo.db begins every transaction of sqlite without a lock. One that reads and then writes fails
    at once with 'database is locked' where another wrote in between. In this way they queue.
    """
    from oslo_db.sqlalchemy import enginefacade
    from sqlalchemy.dialects.sqlite.base import SQLiteDialect
    from sqlalchemy.engine import default

    now = threading.local()
    context_class = enginefacade._TransactionContext
    produce = context_class._produce_block
    execute = default.DefaultDialect.do_execute

    @contextlib.contextmanager
    def noted(self, *words, **more):
        before, now.context = getattr(now, "context", None), self
        try:
            with produce(self, *words, **more) as found:
                yield found
        finally:
            now.context = before

    def do_execute(self, cursor, statement, parameters, context=None):
        asking = getattr(now, "context", None)
        writes = asking is not None and asking.mode is enginefacade._WRITER
        if statement == "BEGIN" and isinstance(self, SQLiteDialect) and writes:
            statement = "BEGIN IMMEDIATE"
        return execute(self, cursor, statement, parameters, context)

    context_class._produce_block = noted
    default.DefaultDialect.do_execute = do_execute


def wait_for(url):
    end = time.time() + 120
    while time.time() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"no answer from {url}")


class Unclosed:
    """Glance closes what it has read; with cheroot that would close the connection."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __iter__(self):
        return iter(self.file)

    def close(self):
        pass


def serve(application, port):
    from cheroot import wsgi

    def unclosed(environment, start):
        environment["wsgi.input"] = Unclosed(environment["wsgi.input"])
        return application(environment, start)

    server = wsgi.Server(("127.0.0.1", port), unclosed, numthreads=10, request_queue_size=128)
    server.start()


def of_egi(application):
    """Believe tokens of STATE/tokens.json as Apache's mod_auth_openidc believes EGI Check-in's.

    ``{token: {"sub": ..., "entitlements": [...], "exp": seconds}}``
    """

    def known(environment):
        token = environment.pop("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        with open(os.path.join(STATE, "tokens.json")) as file:
            found = json.load(file).get(token)
        return found if found and found.get("exp", float("inf")) > time.time() else None

    def answer(environment, start):
        for name in [name for name in environment if name.startswith("HTTP_OIDC")]:
            del environment[name]  # a client's own word
        if EGI.match(environment.get("PATH_INFO", "")):
            found = known(environment)
            if found is None:
                why = 'Bearer error="invalid_token"'
                start("401 Unauthorized", [("WWW-Authenticate", why), ("Content-Length", "0")])
                return [b""]
            environment["HTTP_OIDC_ISS"] = ISSUER
            environment["HTTP_OIDC_SUB"] = found["sub"]
            environment["OIDC-eduperson_entitlement"] = ";".join(found["entitlements"])
        return application(environment, start)

    return answer


def keystone():
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = f"{CONF}/keystone.conf"
    from keystone.wsgi.api import application

    return of_egi(application)


def placement():
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = f"{CONF}/placement"
    from placement.wsgi.api import application

    return application


def glance():
    os.environ["OS_GLANCE_CONFIG_DIR"] = CONF
    from glance.wsgi.api import application

    return application


def neutron():
    os.environ["OS_NEUTRON_CONFIG_FILES"] = f"{CONF}/neutron.conf"
    from neutron.wsgi.api import application

    return application


def nova():
    """Its API, conductor, scheduler, metadata service, and a compute service for each host."""
    paste = os.path.join(sys.prefix, "etc/nova/api-paste.ini")
    os.environ["OS_NOVA_CONFIG_DIR"] = CONF
    os.environ["OS_NOVA_CONFIG_FILES"] = f"{paste};{CONF}/nova.conf"
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")
    writers_begin_at_once()
    wait_for(os.environ["BENCH_IDENTITY"])
    wait_for(os.environ["BENCH_PLACEMENT"])
    from bench_drivers import nova_services
    from nova.wsgi.osapi_compute import application

    nova_services.start()
    from nova.wsgi.metadata import application as metadata

    port = int(os.environ["BENCH_METADATA"])
    threading.Thread(target=serve, args=(metadata, port), daemon=True).start()
    return application


def cinder():
    """Its API, scheduler and volume service."""
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "1"
    from cinder import monkey_patch

    monkey_patch.patch()
    writers_begin_at_once()
    wait_for(os.environ["BENCH_IDENTITY"])
    sys.argv = ["cinder", "--config-file", f"{CONF}/cinder.conf"]
    from bench_drivers import cinder_services
    from cinder.wsgi.api import application

    cinder_services.start()
    return application


def main(name, port):
    end_with_parent()
    sys.argv = [name]
    make = {one.__name__: one for one in (keystone, placement, glance, neutron, nova, cinder)}[name]
    if make not in (nova, cinder):  # these have something to do before it
        writers_begin_at_once()
    serve(make(), int(port))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)  # threads are left that would go on
