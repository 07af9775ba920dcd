"""The operations that are neither sum, product nor scalar function: one file each, with its differential, adjoint
and spelling."""
