"""C3D, written anew in plain torch from its description, with DavideA's names of tensors.

https://github.com/DavideA/c3d-pytorch (MIT), without the softmax at its end. MMAction2's `C3D`
(Apache-2.0) is the same network.
"""

import re

from torch import nn


class C3D(nn.Module):
    def __init__(self, num_classes: int, width: int = 64, hidden: int = 4096) -> None:
        super().__init__()

        def convolve(entering: int, leaving: int) -> nn.Conv3d:
            return nn.Conv3d(entering * width or 3, leaving * width, 3, padding=1)

        self.conv1 = convolve(0, 1)
        self.pool1 = nn.MaxPool3d((1, 2, 2), (1, 2, 2))
        self.conv2 = convolve(1, 2)
        self.pool2 = nn.MaxPool3d(2, 2)
        self.conv3a, self.conv3b = convolve(2, 4), convolve(4, 4)
        self.pool3 = nn.MaxPool3d(2, 2)
        self.conv4a, self.conv4b = convolve(4, 8), convolve(8, 8)
        self.pool4 = nn.MaxPool3d(2, 2)
        self.conv5a, self.conv5b = convolve(8, 8), convolve(8, 8)
        self.pool5 = nn.MaxPool3d(2, 2, (0, 1, 1))
        self.fc6 = nn.Linear(8 * width * 16, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, num_classes)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.pool1(self.relu(self.conv1(x)))
        x = self.pool2(self.relu(self.conv2(x)))
        x = self.pool3(self.relu(self.conv3b(self.relu(self.conv3a(x)))))
        x = self.pool4(self.relu(self.conv4b(self.relu(self.conv4a(x)))))
        x = self.pool5(self.relu(self.conv5b(self.relu(self.conv5a(x)))))
        x = self.relu(self.fc6(x.flatten(1)))
        return self.fc8(self.relu(self.fc7(x)))


def mmaction2(name: str) -> str:
    """MMAction2's name of a tensor."""
    name = re.sub(r"^conv([12])\.", r"conv\1a.", name)
    name = re.sub(r"^conv(\d[ab])\.", r"backbone.conv\1.conv.", name)
    name = re.sub(r"^fc8\.", "cls_head.fc_cls.", name)
    return re.sub(r"^fc", "backbone.fc", name)
