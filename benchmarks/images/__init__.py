"""ReSeND's evaluation on images: does an image belong to one of the known classes?"""
