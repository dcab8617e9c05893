"""The ROS 2 package around the detector library."""
