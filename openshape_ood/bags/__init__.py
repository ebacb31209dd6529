"""Frames of a robot from ROS 2 messages, recorded (MCAP) or live. Light modules, because a child process loads them."""
