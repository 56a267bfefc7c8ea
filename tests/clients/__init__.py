"""edgekit's files in programs of others, each with a Python or Node.js environment of its own."""
