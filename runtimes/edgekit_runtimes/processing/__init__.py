"""From an image to inputs, and from outputs to answers."""
