"""Sparse convolution in plain torch: voxel neighbors, convolutions, the U-Net of published networks.

Kernel order, strides and names equal MinkowskiEngine's, so its files load. MinkowskiEngine is not needed, and nothing
is compiled.
"""
