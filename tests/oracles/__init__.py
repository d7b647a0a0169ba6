"""Other people's readers of the languages that Shipfiles rewrites, asked for what ours should find."""
