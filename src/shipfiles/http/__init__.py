"""RFC 9110 and RFC 9111 as pure functions. Nothing here opens a file or a socket."""
