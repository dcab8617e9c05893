"""What a replay of bags leaves behind, measured and shown; nothing here knows of ROS."""
