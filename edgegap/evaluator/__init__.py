"""The canonical float graph run in torch: batched, differentiable, with hooks that read and replace activations.

It serves what ONNX Runtime cannot: gradients. Quantization's weighted ranges use them, and so will training.
"""

from edgegap.evaluator.evaluator import Evaluator, Hook, Operands

__all__ = ["Evaluator", "Hook", "Operands"]
