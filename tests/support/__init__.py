"""Models, broken files and reports that tests share."""
