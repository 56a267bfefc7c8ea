"""A server for the folders that convert makes, by the Open Inference Protocol."""
