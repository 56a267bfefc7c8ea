"""Every option, declared once: for the shell, for edgekit.toml, for pytest and for Python."""
