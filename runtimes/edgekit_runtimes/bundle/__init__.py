"""The folder that ships, as a device reads it: its manifest, golden samples and signature."""
