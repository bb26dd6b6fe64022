"""JupyterLab, ready-made: the notebook, the cluster and its panes."""
