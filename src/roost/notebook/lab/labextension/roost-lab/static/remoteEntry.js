/* What a saved layout cannot say: a launcher in the notebook's place, the cluster in sight.
 *
 * This file is what a build of a prebuilt JupyterLab extension comes to: a container in
 * window._JUPYTERLAB that gives the plugin. It uses no other module, so it needs no build.
 */
(() => {
  /* The list of plots is longer than most screens; the cluster is below it, with its workers and
   * the button that scales them. To begin and to end a cluster is roost's: these two buttons would
   * list the same one again, and let go of it for a moment. */
  const STYLE = `
    .dask-DaskSidebar .dask-DaskClusterManager {
      position: sticky;
      bottom: 0;
      background: var(--jp-layout-color1);
    }
    .dask-DaskClusterManager [data-jp-item-name='dask:launch-cluster'],
    .dask-DaskClusterManager .dask-ClusterListingItem-stop {
      display: none;
    }
  `;

  const isPane = widget => widget.hasClass('dask-DaskDashboard-widget');

  /* JupyterLab opens a launcher by itself only where nothing at all is open, and a layout cannot
   * contain one. */
  const addLauncher = async app => {
    const open = [...app.shell.widgets('main')];
    if (open.length === 0 || !open.every(isPane)) return;
    const launcher = await app.commands.execute('launcher:create');
    /* Not shell.add(): that would split the pane it is on, and not the whole area. */
    launcher.parent.addWidget(launcher, { mode: 'split-left' });
  };

  const plugin = {
    id: 'roost-lab:plugin',
    description: 'A launcher where only Dask panes are open; the cluster always in sight.',
    autoStart: true,
    activate: app => {
      const style = document.createElement('style');
      style.textContent = STYLE;
      document.head.append(style);
      void app.restored.then(() => addLauncher(app));
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB['roost-lab'] = {
    init: () => {},
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin }))
  };
})();
