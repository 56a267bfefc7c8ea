"""The folder that ships: its manifest, and files that are put in place whole."""
