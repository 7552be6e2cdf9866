"""What the numbers of the face landmarker mean: points, and blendshapes."""

from __future__ import annotations

import numpy as np

# The points of the mesh where iBUG's 68 are, in iBUG's order. Left and right are the picture's.
IBUG68 = np.array(
    [
        *(127, 234, 93, 132, 58, 172, 136, 149, 152),  # jaw, left half and chin
        *(378, 365, 397, 288, 361, 323, 454, 356),  # jaw, right half
        *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
        *(168, 197, 5, 4, 98, 97, 2, 326, 327),  # bridge and wings of the nose
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
        *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
    ]
)

# The outer corners of the eyes, left and right in the picture.
EYE_CORNERS = (33, 263)

# The points of the mesh that the network of blendshapes takes.
BLENDSHAPE_POINTS = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63),
        *(65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132),
        *(133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161),
        *(162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263),
        *(267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310),
        *(311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373),
        *(374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398),
        *(400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
    ]
)


def _sides(*names: str) -> list[str]:
    return [f"{name}{side}" for name in names for side in ("Left", "Right")]


# What the network of blendshapes gives, without the first value, which means nothing. Left and
# right are the person's.
BLENDSHAPES = (
    *_sides("browDown"),
    "browInnerUp",
    *_sides("browOuterUp"),
    "cheekPuff",
    *_sides("cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp"),
    *_sides("eyeSquint", "eyeWide"),
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    *_sides("mouthDimple", "mouthFrown"),
    "mouthFunnel",
    "mouthLeft",
    *_sides("mouthLowerDown", "mouthPress"),
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    *_sides("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
