"""Pictures of detections: boxes in the image, and seen from above."""

from smoke_ros.drawing.annotate import annotate, draw_caption
from smoke_ros.drawing.birds_eye import draw_birds_eye
from smoke_ros.drawing.boxes import draw_boxes

__all__ = ['annotate', 'draw_birds_eye', 'draw_boxes', 'draw_caption']
