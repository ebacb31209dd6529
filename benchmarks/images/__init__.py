"""Evaluation and training of ReSeND: does an image belong to one of the known classes?"""
