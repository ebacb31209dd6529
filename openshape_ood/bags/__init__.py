"""Frames of a robot: messages of ROS 2, from MCAP bags or live. Light modules, for a child process loads them."""
