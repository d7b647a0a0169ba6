"""Asks a store, and the address at which browsers find it, and states what is wrong."""
