"""Frames of a robot: messages of ROS 2, from MCAP bags or live. Its modules are light, as a child process loads them."""
