"""Losses written as plain NumPy become verified NumPy modules with gradients and Hessian-vector products."""

__version__ = "0.1.0"
