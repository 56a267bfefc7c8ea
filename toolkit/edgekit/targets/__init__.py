"""What a folder of files becomes for those who run it without Python: a web page, a C++ program, an Android class."""
