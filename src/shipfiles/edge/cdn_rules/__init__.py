"""What CDNs take as text: each module has ``texts(policy)``, which gives the name of each file and what is in it.

The texts are the same for every release. They know names by their form, and only of extensions in ``static.always`` can
they know that a file has variants: where a bucket answers and nobody can look what is there, nothing else is picked.
"""
