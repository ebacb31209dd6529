"""Frames of a robot from ROS 2 messages, recorded (MCAP) or live.

A child process loads these modules, so they import few others.
"""
