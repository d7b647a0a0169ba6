"""Signed URLs, one module for each way of signing. Nothing here asks anybody."""
