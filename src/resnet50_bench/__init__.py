"""ResNet50-PyTorch-Xeon-Public: a benchmark harness that proves the numbers it prints."""

WORKLOAD = "resnet50_pytorch_xeon_public"
DISPLAY_NAME = "ResNet50-PyTorch-Xeon-Public"
__version__ = "0.1.0"
