from gradgen import Matrix, Scalar, Vector, dims, loss

n, d = dims(n=2000, d=50)


@loss(wrt="w", gram=True)
def ridge_gram(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):
    """Ridge regression: ||Xw - y||^2 + lam ||w||^2; `bind` may form X'X and X'y."""
    r = X @ w - y
    return r @ r + lam * (w @ w)
