"""Sparse convolution in plain torch: voxels and their neighbors, convolutions, the U-Net of published networks.

Kernel order, strides and names are those of MinkowskiEngine, whose files load; it is not needed, and nothing is built.
"""
