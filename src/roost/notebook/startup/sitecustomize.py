"""What every Python of a cluster begins with: it is on their PYTHONPATH, and imports nothing heavy.

Once a program imports ``distributed.client``, a ``Client(n_workers=4)`` of it attaches.
"""

import os
import sys
from importlib.machinery import PathFinder

CLIENT = "distributed.client"


class AfterImport:
    """Finds ``distributed.client`` as ever, and changes it once it is there."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        """Return the module's own spec, with one more thing to do; None for all others."""
        if name != CLIENT:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):  # type: ignore[no-untyped-def]
            execute(module)
            from roost.notebook.dask.attach import let_attach

            let_attach(module.Client)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def hidden() -> None:
    """Run the sitecustomize that this one hides: the system's or the environment's own."""
    others = [path for path in sys.path if os.path.realpath(path or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


HERE = os.path.dirname(os.path.realpath(__file__))
if "ROOST_NAME" in os.environ and CLIENT not in sys.modules:
    sys.meta_path.insert(0, AfterImport())
hidden()
