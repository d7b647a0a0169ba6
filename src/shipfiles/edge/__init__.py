"""What stands in front: the configuration of web servers and CDNs from the same policy, and purging what they keep."""
