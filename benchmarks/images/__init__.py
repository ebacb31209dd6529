"""ReSeND's own evaluation, on photographs and drawings: is an image of a class that examples show?"""
