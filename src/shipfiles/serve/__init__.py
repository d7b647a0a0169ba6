"""From a request to a response: a table of what may be asked for, one pure function, and thin shells around it."""
