"""Arrays in place of an object for each row: codes and byte strings."""
