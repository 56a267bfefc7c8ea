"""What a person asks for, from end to end: convert, validate, demo."""
