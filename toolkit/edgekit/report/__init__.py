"""Reports, and the forms in which people and build servers read them."""
