"""Questions that users ask: which score, does the threshold keep its promise, is the part found?"""
