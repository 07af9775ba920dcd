from gradgen import Matrix, Scalar, Vector, dims, loss

n, d = dims(n=2000, d=50)


@loss(wrt="w")
def ridge(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):
    """Ridge regression: ||Xw - y||^2 + lam ||w||^2."""
    r = X @ w - y
    return r @ r + lam * (w @ w)
