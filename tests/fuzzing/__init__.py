"""Files that are wrong, and what comes of reading them.

`sound` writes a small sound file of every kind, `mutated` damages them, `generated` makes structured ones up (by
hypothesis), `readers` reads in a child process and measures, `run` is the command.
"""
