from gradgen import Matrix, Scalar, Vector, dims, loss

n, d = dims("n d")


@loss(wrt="w")
def ridge(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):
    """Ridge regression: ||Xw - y||^2 + lam ||w||^2."""
    r = X @ w - y
    return r @ r + lam * (w @ w)
