/* A launcher in the notebook's place, where only Dask's panes are open.
 *
 * JupyterLab's saved layouts cannot contain a launcher, and it opens one by itself only where
 * nothing at all is open. This file is what a build of a prebuilt extension comes to: a container
 * in window._JUPYTERLAB that gives the plugin. It uses no other module, so it needs no build.
 */
(() => {
  const isPane = widget => widget.node.querySelector('.dask-DaskDashboard') !== null
    || widget.hasClass('dask-DaskDashboard');

  const plugin = {
    id: 'roost-launcher:plugin',
    autoStart: true,
    activate: app => {
      app.restored.then(async () => {
        const open = [...app.shell.widgets('main')];
        if (open.length === 0 || !open.every(isPane)) return;
        const launcher = await app.commands.execute('launcher:create');
        app.shell.add(launcher, 'main', { mode: 'split-left' });
      });
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB['roost-launcher'] = {
    init: () => {},
    get: () => Promise.resolve(() => ({ default: plugin }))
  };
})();
