"""The runtimes: each opens a file on its devices, and returns an ``Engine``."""
