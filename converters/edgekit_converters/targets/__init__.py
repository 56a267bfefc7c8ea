"""What the tools of chips make of a model file, and what they say of it. One chip a file; no manifest."""
