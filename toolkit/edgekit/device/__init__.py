"""Other machines: boards that files are copied to, and what is done with them there."""
