"""TORCH_TYPE -> the engine that prepares ResNet50 for it: a module each, with an ``ENGINE``."""
