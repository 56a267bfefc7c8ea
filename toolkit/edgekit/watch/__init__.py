"""What a server or a script does just now, as whoever looks after it wants to see it."""
