"""The command ``edgekit``: one verb a file; the only place that prints or ends the process."""
