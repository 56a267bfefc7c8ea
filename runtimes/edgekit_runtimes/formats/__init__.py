"""What model files say of themselves, read without their runtimes."""
