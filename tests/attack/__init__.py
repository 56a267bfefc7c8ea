"""Attacks on files, data and processes: ``make attack``, and a short form in ``make test``."""
