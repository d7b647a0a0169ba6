"""Uploads: what they are called, what may be taken, how they are found again, and how they are delivered."""
