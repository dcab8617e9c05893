"""Small recordings for tests: images that tell their number, and a labelled car."""

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from smoke_ros.calibration import Calibration
from smoke_ros.data.kitti import KittiObject
from smoke_ros.ros.bags import BagWriter
from smoke_ros.ros.camera_info import calibration_to_message
from smoke_ros.ros.ground_truth import objects_to_message
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.ros.qos import RELIABLE, SENSOR_DATA
from smoke_ros.ros.stamps import stamp_message

WIDTH, HEIGHT = 64, 48
K = np.array([[50.0, 0.0, 32.0], [0.0, 50.0, 24.0], [0.0, 0.0, 1.0]])
STEP_NS = 100_000_000
#: The first stamp; messages are received this much later than their stamp.
BEGIN_NS, DELAY_NS = 1_000_000_000, 7_000_000

CAR = KittiObject(
    (1.0, 1.5, 20.0), (4.0, 1.5, 1.8), -1.5, 'Car', 0.25, 1, -1.55, (30.0, 20.0, 40.0, 30.0)
)


def picture(number):
    """A picture whose grey level is its number."""
    return np.full((HEIGHT, WIDTH, 3), number % 256, np.uint8)


def write_small_bag(
    path, count=5, *, cameras=('/front',), storage='mcap', compressed=False, truth=True,
    truth_frame='', spoilt=(), info=True, stamped=True,
):  # fmt: skip
    """Write a bag; images whose numbers are in `spoilt` have too few bytes.

    The ground truth is in the frame of the images, or in `truth_frame`.
    """
    names = {ns: f'{ns}/image_rect' + ('/compressed' if compressed else '') for ns in cameras}
    with BagWriter(path, storage) as bag:
        for ns in cameras:
            bag.add_topic(names[ns], CompressedImage if compressed else Image, SENSOR_DATA)
            bag.add_topic(f'{ns}/camera_info', CameraInfo, SENSOR_DATA)
            bag.add_topic(f'{ns}/ground_truth', Detection3DArray, RELIABLE)
        for number in range(count):
            stamp_ns = BEGIN_NS + number * STEP_NS
            for ns in cameras:
                header = Header(frame_id=f'{ns[1:]}_optical')
                if stamped:
                    header.stamp = stamp_message(stamp_ns)
                image = bgr_to_image(picture(number), header)
                if compressed:
                    data = cv2.imencode('.png', picture(number))[1].tobytes()
                    image = CompressedImage(header=header, format='png', data=data)
                if number in spoilt:
                    image.data = image.data[:10]
                bag.write(names[ns], image, stamp_ns + DELAY_NS)
                if info:
                    message = calibration_to_message(Calibration(WIDTH, HEIGHT, K), header)
                    bag.write(f'{ns}/camera_info', message, stamp_ns + DELAY_NS + 1)
                if truth:
                    frame_id = truth_frame or header.frame_id
                    message = objects_to_message(
                        [CAR], Header(stamp=header.stamp, frame_id=frame_id)
                    )
                    bag.write(f'{ns}/ground_truth', message, stamp_ns + DELAY_NS + 2)
    return path
