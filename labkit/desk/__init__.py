"""What the learner sits at: JupyterLab as a process of ours, and a browser that is driven by a test or the doctor."""
