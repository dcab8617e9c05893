"""Find objects in an image with a file that `smoke-ros export MODEL --with-decode` wrote.

Usage: onnx_inference.py MODEL.onnx IMAGE FX FY CX CY [THRESHOLD]

Takes onnxruntime, numpy and OpenCV only. The intrinsics are those of the image, in pixels, and the
image is not distorted. Boxes are in the camera's optical frame: x right, y down, z forward.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
about = {**session.get_modelmeta().custom_metadata_map}
width, height = int(about['input_width']), int(about['input_height'])
image = cv2.imread(sys.argv[2])
if image is None:
    sys.exit(f'{sys.argv[2]}: not an image that OpenCV can read')
fx, fy, cx, cy = map(float, sys.argv[3:7])
threshold = float(sys.argv[7]) if len(sys.argv) > 7 else 0.25

# The image's width fills the input's, its centre lies on the input's centre.
scale = width / image.shape[1]
shift = np.array([width, height]) / 2 - scale * np.array([image.shape[1], image.shape[0]]) / 2
# Pixels are counted from their corners here, from their centres by OpenCV: half a pixel.
index_shift = shift + (scale - 1) / 2
warped = cv2.warpAffine(image, np.column_stack((scale * np.eye(2), index_shift)), (width, height))
if json.loads(about['channel_order']) == 'rgb':
    warped = warped[..., ::-1]
pixels = (warped - np.array(json.loads(about['mean']))) / json.loads(about['std'])
stride, focal = int(about['stride']), float(about['reference_focal_px'])
affine = np.diag([stride / scale, stride / scale, 1.0])
affine[:2, 2] = -shift / scale
ratio = scale * fx / focal  # another lens than the training camera's: objects seem further off
inputs = {
    'images': pixels.transpose(2, 0, 1), 'K': [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
    'image_from_feature': affine, 'projection_offset': np.zeros(3),
    'depth_scale': ratio if abs(ratio - 1) > float(about['focal_tolerance']) else 1.0,
}  # fmt: skip
inputs = {name: np.asarray(value, np.float32)[None] for name, value in inputs.items()}
scores, class_ids, boxes = (output[0] for output in session.run(None, inputs))
for score, class_id, (x, y, z, *size, yaw) in zip(scores, class_ids, boxes, strict=True):
    if score >= threshold:
        name, size = json.loads(about['classes'])[class_id], ' x '.join(f'{s:.2f}' for s in size)
        print(f'{name} {score:.2f} at {x:.2f} {y:.2f} {z:.2f} m, {size} m, heading {yaw:.2f} rad')
