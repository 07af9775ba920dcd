"""Wrong specs: what is said of words that are used wrongly, of near names, and of several errors at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgen import SpecError
from gradgen.errors import SpecErrors
from gradgen.spec import load_spec

HEAD = """import numpy as np
import scipy.special
from gradgen import *
n, d, m, k = dims("n d m k")
@loss(wrt="x")
def f(x: Vector[n], v: Vector[3], X: Matrix[n, d], A: Matrix[n, n], S: SPD[n], s: Scalar, rows: Indices[m, n],
      Z: Matrix[n, k], cls: Indices[n, k]):
"""
LINE = HEAD.count("\n") + 1

# what stands on the line, what the message says, what the hint says
WORDS = [
    ("np.einsum('ij,j->i', X, x)", "'j' is d long, and n (X is declared at 6:35, x is declared at 6:7)", "one length"),
    ("np.einsum('ij,j->i', X)", "'ij,j->i' speaks of 2 arrays, but np.einsum gets 1", "np.einsum"),
    ("np.einsum('i->i', X)", "'i' has 1 letters for an array of shape (n, d)", "np.einsum"),
    ("np.einsum('i->j', x)", "the result of np.einsum has 'j', which no array has", ""),
    ("np.einsum('i->ii', x)", "the result of np.einsum has 'i' twice", "np.diag"),
    ("np.einsum('...i->i', X)", "leaves the ellipsis out", "both sides"),
    ("np.einsum('ii', X)", "'i' stands for two lengths of an array of shape (n, d): n against d", "different letters"),
    ("np.einsum('i*->i', X)", "np.einsum cannot read 'i*->i'", "an axis has a letter"),
    ("np.einsum(X, [0, 1], [0])", "wants its letters as a text", "np.einsum("),
    ("np.einsum('i->i', x, out=None, order='F')", "takes no options here but optimize", ""),
    ("X.reshape(n)", "an array of shape (n, d) has n * d entries, and shape (n,) has n", "Vector[n]"),
    ("X.reshape(n, 3)", "has n * d entries, and shape (n, 3) has 3 * n", "made of"),
    ("x.reshape(-1, 2)", "has n entries, which is no multiple of 2", "Vector[2]"),
    ("x.reshape(-1, -1)", "at most one -1", ""),
    ("v.reshape(2, 2)", "has 3 entries, and shape (2, 2) has 4", "keeps all entries"),
    ("X.reshape(d, n, order='K')", "the order 'K' is not in the vocabulary", "'F' column by column"),
    ("X.ravel('K')", "the order 'K' is not in the vocabulary", "'F' column by column"),
    ("np.tril(s)", "np.tril takes a matrix, not a scalar", ""),
    ("np.triu(X, 0.5)", "an integer as k, not 0.5", ""),
    ("np.linalg.cholesky(A)", "A is not known to be one", "np.linalg.cholesky((A + A.T) / 2)"),
    ("np.linalg.cholesky(X)", "takes a square matrix, not shape (n, d)", "X.T @ X"),
    ("np.linalg.eigvalsh(A @ A)", "(A @ A) is not known to be one", "/ 2), or declare an argument Symmetric[n]"),
    ("np.linalg.eigvalsh(S, 'X')", "knows no triangle 'X'", ""),
    ("np.linalg.eigh(S)[0]", "np.linalg.eigh is not in the vocabulary", "eigvalsh"),
    ("np.linalg.svd(X)[1]", "np.linalg.svd is not in the vocabulary", "eigvalsh(X.T @ X)"),
    ("np.linalg.lstsq(X, x)[0]", "np.linalg.lstsq is not in the vocabulary", "np.linalg.solve(X.T @ X, X.T @ y)"),
    ("np.linalg.pinv(x)", "np.linalg.pinv takes a matrix, not shape (n,)", "column"),
    ("np.linalg.pinv(X, 1e-3)", "np.linalg.pinv takes no options", "full rank"),
    ("np.linalg.matrix_power(A, s)", "an integer that is known, not an array of shape ()", ""),
    ("np.linalg.matrix_power(X, 2)", "takes a square matrix", "X.T @ X"),
    ("np.linalg.multi_dot([X])", "two arrays or more", ""),
    ("np.linalg.multi_dot([A, x, X])", "with a vector at an end only", ""),
    ("np.linalg.outer(X, x)", "takes two vectors, not shapes (n, d) and (n,)", "np.outer"),
    ("np.linalg.norm(x, 'nuc')", "no norm of order 'nuc' of a vector", ""),
    ("np.linalg.norm(x, np.ones(3))", "no norm of order an array of shape (3,) of a vector", ""),
    ("np.trace(X)", "the trace of shape (n, d), which is not square (X is declared at 6:35)", "X.T @ X"),
    ("np.diag(X)", "which of the n rows and d columns are fewer is not known", "Matrix[d + p, d]"),
    ("np.diag(x, s)", "an integer that is known", ""),
    ("np.tensordot(X, x, 3)", "np.tensordot over 3 axes of shapes (n, d) and (n,)", "axes=([1], [0])"),
    ("np.tensordot(X, X, axes=([0], [1]))", "(n, d) and (n, d) do not match: n against d", "axis 0 of the left"),
    ("np.tensordot(X, X, axes=([0, 1], [0]))", "over pairs of axes", "axes="),
    ("np.dot(X[None], v)", "np.dot of (1, n, d) and (3,) do not match: d against 3", ""),
    ("np.vecdot(X, x)", "np.vecdot of (n, d) and (n,) do not match: d against n", "axes -1 meet"),
    ("np.cross(X, X)", "np.cross of vectors of d entries along axis 1", "Matrix[n, 3]"),
    ("np.sum(X, axis=2)", "there is no axis 2 in shape (n, d)", "axis 0 is n long, axis 1 is d long"),
    ("np.mean(s, axis=0)", "a scalar has no axis 0", "leave the axis out"),
    ("np.transpose(X, (0, 0))", "(0, 0) is no permutation of the 2 axes of shape (n, d)", ""),
    ("np.moveaxis(X, 2, 0)", "there is no axis 2 in shape (n, d)", "axis 0 is n long"),
    ("np.stack([X, X], axis=3)", "there is no axis 3 in an array of 3 axes", "axes count from 0"),
    ("np.cumsum(x, axis=1)", "there is no axis 1 in shape (n,)", "axis 0 is n long"),
    ("np.cumulative_sum(X)", "wants an axis", "axis=0"),
    ("np.prod(x, where=x > 0)", "np.prod takes no where", ""),
    ("np.var(x, axis=2)", "there is no axis 2", ""),
    ("np.roll(x, s)", "shifts by an integer or a dimension, not by an array of shape ()", ""),
    ("np.roll(X, (1, 2, 3), axis=(0, 1))", "a shift for each axis", ""),
    ("np.average(X, weights=x)", "np.average of shape (n, d) by weights of shape (n,)", "one axis that is named"),
    ("np.flip(x, 1)", "there is no axis 1", ""),
    ("arange(x)", "arange counts between integers and dimensions", "arange(n)"),
    ("arange(0, n, 2)", "how many numbers there are from 0 to n by 2 is not known", "arange(n) * step"),
    ("arange(0.5)", "arange counts between integers and dimensions", "arange(n)"),
    ("ones([n, 2.5])", "(n, 2.5) is no shape", "dimensions and integers"),
    ("zeros(x)", "(an array of shape (n,)) is no shape", ""),
    ("np.sum(x, axis=np.ones(50))", "an axis is an integer, not 1.0", ""),
    ("v[[0, 3]]", "index 3 is out of bounds for an axis of length 3", ""),
    ("v[[0.5]]", "an index is made of integers, not of float64", "Indices"),
    ("v[[[0], [1, 2]]]", "an index cannot be a list of 2", "Indices"),
    ("v[[s, s]]", "an index is no list of traced arrays", "Indices"),
    ("x[np.arange(2000)]", "a constant of 2000 indices", "rows: Indices[m, n]"),
    ("X[[0, 1], [0, 1, 2]]", "index arrays of lengths 2 and 3, which do not match", "X[rows][:, cols]"),
    ("X[:, rows]", "rows holds indices below n, but axis 1 has length d", "Indices[m, d]"),
    ("X[rows, np.array([[0, 1]])]", "Indices beside an array of two axes are not supported yet", ""),
    ("rows * x[rows]", "rows holds indices, which are no numbers of a formula", "rows.astype(float) is the array of"),
    ("rows.astype(np.float32)", "a traced array cannot become float32", "the working dtype follows"),
    ("x[rows.astype(float)]", "a traced array cannot be an index", ""),
    ("np.sum(rows)", "rows holds indices, which are no numbers of a formula", "U[rows]"),
    ("x[rows + 1]", "rows holds indices, which are no numbers of a formula", "U[rows]"),
    ("x[rows[0]]", "one entry of rows is no index of its own", "U[rows][0]"),
    ("np.ones(4)[rows]", "rows holds indices below n, but axis 0 has length 4", "Indices[m, 4]"),
    ("[1.0, 2.0][rows]", "rows cannot index what is no array of the formula", "np.asarray([1.0, 2.0])[rows]"),
    (
        "np.linspace(0, 1, 4)[rows]",
        "rows cannot index what is no array of the formula",
        "np.asarray(np.linspace(0, 1, 4))[rows]",
    ),
    ("x[rows == 1]", "rows holds indices, which are no numbers", ""),
    ("np.repeat(x, 2)", "np.repeat is not in the vocabulary", "np.broadcast_to"),
    ("np.diff(x)", "np.diff is not in the vocabulary", "x[1:] - x[:-1]"),
    ("np.cov(X)", "np.cov is not in the vocabulary", "R.T @ R"),
    ("np.cumprod(x)", "np.cumprod is not in the vocabulary", "np.cumsum"),
    ("np.nansum(x)", "np.nansum is not in the vocabulary", "weights"),
    ("scipy.special.gamma(s)", "scipy.special.gamma is not in the vocabulary", "gammaln"),
    ("scipy.special.betaln(s, s)", "scipy.special.betaln is not in the vocabulary", "gammaln(a + b)"),
    ("np.linalg.cond(A)", "np.linalg.cond is not in the vocabulary", ""),
    ("x.sume()", "an array has no attribute 'sume'", ""),
    ("np.epx(x)", "module 'numpy' has no attribute 'epx'", "did you mean np.exp?"),
    ("np.linalg.sovle(A, x)", "no attribute 'sovle'", "did you mean np.linalg.solve?"),
    ("scipy.special.gamaln(s)", "no attribute 'gamaln'", "did you mean scipy.special.gammaln?"),
    ("np.mean(xx)", "name 'xx' is not defined", "did you mean x?"),
    ("logsumepx(x)", "name 'logsumepx' is not defined", "did you mean logsumexp?"),
    ("zzzz * s", "name 'zzzz' is not defined", "a loss knows its arguments"),
    ("np.ones(n)", "n is not known", "gradgen.ones"),
    ("np.ones((n, d))", "n is not known", "write ones(n, d), after from gradgen import ones"),
    ("sum(x[i] for i in range(n))", "a loop over an axis of length n", "sums over an axis"),
    ("Z[np.arange(n), x]", "x holds numbers, which cannot be an index", "declare x: Indices[n, k]"),
    ("X[:, v]", "v holds numbers, which cannot be an index", "declare v: Indices[3, d]"),
    ("X[None, v + 1]", "a traced array cannot be an index", "an argument hold the positions, rows: Indices[3, n]"),
    ("Z[s]", "s holds numbers, which cannot be an index", "declare s: Indices[1, n], and take Z[s][0]"),
    ("x[X]", "X holds numbers, which cannot be an index", "rows: Indices[m, n], a vector of positions"),
    ("np.median(x)", "np.median is not in the vocabulary", "np.mean is another statistic"),
    ("np.quantile(x, 0.9)", "np.quantile is not in the vocabulary", "least where m is the q-quantile"),
    ("Z[np.arange(d), cls]", "index arrays of lengths d and n", "X[rows][:, cols]"),
    ("x[x > 0]", "a traced array cannot be an index", "np.where(x > 0, x, 0) keeps the shape"),
    ("cls == 2", "cls holds indices", "eye(k)[cls]"),
    ("np.eye(4)[cls]", "cls holds indices below k, but axis 0 has length 4", "Indices[n, 4]"),
    ("np.take_along_axis(X, cls[:, None], axis=0)", "an entry of each row of a matrix", "Z[np.arange(n), y]"),
    ("np.take_along_axis(Z[:d], cls[:, None], axis=1)", "cls is n long, and the matrix has d rows", ""),
    ("np.vectorize(lambda t: t**2)(x)", "np.vectorize calls Python for each number", "f(x)"),
    ("np.random.randn(3) @ v", "a loss draws no random numbers", "an argument"),
    ("np.random.default_rng(0)", "a loss draws no random numbers", "an argument"),
    ("np.add.at(x, rows, 1)", "cannot be changed in place", "eye(k)[rows].T @ v"),
    ("np.exp(v, out=np.zeros(3))", "no array is filled in place", "y = np.exp(...)"),
    ("np.triu_indices(n)", "the dimensions are not known", "np.triu(A, k)"),
    ("np.array(v)", "cannot become a real one", "use the array itself"),
    ("np.array(v, dtype=int)", "cannot become int64", "cut off fractions"),
    ("np.linspace(0, 1, n)", "n is not known", "arange(n) / (n - 1)"),
    ("np.prod(x.shape)", "n is not known", "x.size"),
    ("np.pad(x, 1)", "np.pad is not in the vocabulary", "np.concatenate([x, zeros(n, 1)], axis=1)"),
    ("np.split(X, 2, axis=1)", "np.split is not in the vocabulary", "x[:, :p] and x[:, p:]"),
    ("np.nan_to_num(x)", "np.nan_to_num is not in the vocabulary", "np.where(t > 0, x / t, 0) leaks no NaN"),
    ("X.__setitem__((slice(None), slice(1, None)), 0)", "cannot be changed in place", "join the parts: np.concatenate"),
    ("IntVector[n]", "name 'IntVector' is not defined", "Indices[m, n]"),
    ("Indices[m, n, d]", "Indices has 2 dimensions, not 3", "give rows.ravel()"),
    ("np.fill_diagonal(A, 0)", "np.fill_diagonal is not in the vocabulary", "A * (1 - eye(n))"),
    ("np.apply_along_axis(np.sum, 1, X)", "np.apply_along_axis is not in the vocabulary", "np.sum(X, axis=1)"),
    ("np.meshgrid(x, v)", "np.meshgrid is not in the vocabulary", "x[:, None]"),
    ("sorted(v)", "cannot branch", "only max and min"),
    ("np.mean(x, dim=0)", "unexpected keyword argument 'dim'", "the option is called axis"),
    ("x.sum(keepdim=True)", "keepdim", "the option is called keepdims"),
    ("X.sum(axis='rows')", "an axis is an integer, not 'rows'", ""),
    ("torch.exp(x)", "name 'torch' is not defined", "plain NumPy"),
    ("x.norm()", "an array has no attribute 'norm'", "np.linalg.norm(x)"),
    ("x.unsqueeze(0)", "an array has no attribute 'unsqueeze'", "x[None]"),
    ("x.exp()", "an array has no attribute 'exp'", "np.exp(x)"),
    ("x.detach()", "an array has no attribute 'detach'", "not in wrt"),
    ("np.sum(x).backward()", "an array has no attribute 'backward'", "gradgen derives the gradient"),
    ("setattr(x, 'requires_grad', True)", "'requires_grad'", "name what to differentiate by in wrt"),
    ("x > 0 and v > 0", "cannot branch", "write (x > 0) & (v > 0)"),
    ("x < 0 or x > 1", "cannot branch", "write (x < 0) | (x > 1)"),
    ("0 < x < 1", "cannot branch", "write (0 < x) & (x < 1)"),
    ("not x > 0", "cannot branch", "write ~(x > 0)"),
    ("np.all(x > 0)", "np.all is not in the vocabulary", "test or assert nothing"),
    ("X[0, 0, 0]", "3 indices for an array of shape (n, d)", "it has 2 axes"),
    ("x[1 : n + 1]", "out of bounds: it presupposes n + 1 <= n", "leaves the end out: x[1:]"),
    ("np.linalg.solve(X, x)", "takes a square matrix", "np.linalg.solve(X.T @ X, X.T @ y) is the least squares"),
    ("Z[cls]", "cls holds indices below k, but axis 0 has length n", "Z[np.arange(n), cls] takes an entry of each row"),
    ("np.loadtxt('nowhere.txt')", "FileNotFoundError", "a loss reads no files"),
    ("(lambda g: g(g))(lambda g: g(g))", "RecursionError", "calls itself needs an end"),
    ("(lambda: 1 / 0)()", "ZeroDivisionError: division by zero", ""),
    ("x + object()", "object is no real array", ""),
    ("x.reshape(s)", "is no shape", ""),
]


def error_of(folder: Path, line: str) -> SpecError:
    path = folder / "wrong.py"
    path.write_text(f"{HEAD}    {line}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _ = load_spec(path)["f"].tape
    return caught.value


@pytest.mark.parametrize(("expression", "message", "hint"), WORDS, ids=[w[0] for w in WORDS])
def test_what_is_wrong_and_what_to_write(tmp_path: Path, expression: str, message: str, hint: str) -> None:
    error = error_of(tmp_path, f"return np.sum({expression})")
    assert message in error.message
    assert hint in error.hint
    assert error.place is not None and (Path(error.place.file).name, error.place.line) == ("wrong.py", LINE)
    assert "^" in error.place.excerpt()
    assert "0x" not in str(error) and "Traceback" not in str(error)


SCIPY = [
    (
        "from scipy.optimize import minimize; return minimize(np.sum, x).fun",
        "minimize does not run inside of a loss: give it what bind makes of the loss",
    ),
    ("y = 1.0 * x; y[y < 0] = 0; return np.sum(y)", "write y = np.where(y < 0, new, y)"),
    ("yield x @ x", "write def, and end it with return"),
    (
        "from scipy.linalg import cho_factor; return np.sum(cho_factor(S)[0])",
        "np.linalg.solve(A, b) in place of cho_factor",
    ),
    (
        "from scipy.linalg import solve_triangular; return np.sum(solve_triangular(S, x))",
        "np.linalg.solve(A, b) in place of solve_triangular",
    ),
    ("import scipy.linalg; return np.sum(scipy.linalg.cholesky(S))", "np.linalg.cholesky in place"),
    ("import scipy.linalg; return np.sum(scipy.linalg.expm(S))", "expm is not in the vocabulary"),
    ("from scipy.spatial.distance import cdist; return np.sum(cdist(X, X))", "(X[:, None] - Y) ** 2"),
    ("import scipy.stats; return np.sum(scipy.stats.norm.logpdf(x))", "write the density as a formula"),
    ("import math; return math.lgamma(s)", "scipy.special.gammaln in place of math.lgamma"),
    ("import math; return math.erf(s)", "scipy.special.erf in place of math.erf"),
    ("import math; return math.acos(s)", "np.arccos in place of math.acos"),
    ("import math; return math.log(s)", "np.log in place of math.log"),
]


@pytest.mark.parametrize(("line", "hint"), SCIPY, ids=[line for line, _ in SCIPY])
def test_functions_of_other_modules(tmp_path: Path, line: str, hint: str) -> None:
    assert hint in error_of(tmp_path, line).hint


TOP = "import numpy as np\nfrom gradgen import *\nn, d = dims('n d')\n"
GOOD = "@loss(wrt='x')\ndef good(x: Vector[n]):\n    return x @ x\n"
FILES = [
    ("from gradgen import Vecto\n", "gradgen has no Vecto", "did you mean Vector?"),
    ("from numpy.linalg import slove\n", "numpy.linalg has no slove", "did you mean solve?"),
    ("import nunpy\n", "No module named 'nunpy'", "did you mean numpy?"),
    ("from neighbor import helper\n", "No module named 'neighbor'", "did you mean neighbour?"),
    ("@los(wrt='x')\ndef f(x: Vector[n]):\n    return 1\n", "name 'los' is not defined", "did you mean loss?"),
    ("@loss(wrt='x')\ndef f(x: Vektor[n]):\n    return 1\n", "name 'Vektor' is not defined", "did you mean Vector?"),
    ("@loss(wrt='x')\ndef f(x: Vector[m]):\n    return 1\n", "name 'm' is not defined", 'm = dims("m")'),
    ("@loss(wrt='x')\ndef f(x: 'Vectr[n]'):\n    return 1\n", "the type of x cannot be read", "did you mean Vector?"),
    ("@loss(wrt=x)\ndef f(x: Vector[n]):\n    return x @ x\n", "name 'x' is not defined", 'in quotes: wrt="x"'),
    ("@loss(argnums=0)\ndef f(x: Vector[n]):\n    return x @ x\n", "argument 'argnums'", 'wrt="w"'),
    ("@loss()\ndef f(x: Vector[n]):\n    return x @ x\n", "@loss wants wrt", 'write @loss(wrt="w")'),
    ("@loss(wrt='x')\ndef f(x: Vector(n)):\n    return x @ x\n", "Vector takes its dim", "write Vector[n]"),
    ("@loss(wrt='x')\ndef f(x: Vector[n], s: float):\n    return x @ x\n", "declared as float", "write Scalar"),
    ("@loss(wrt='x')\ndef f(x: Vector[n, postive]):\n    return x @ x\n", "'postive'", "did you mean positive?"),
    ("p, q = dims('p')\n", "not enough values to unpack", "as many dimensions as stand on the left"),
    ("p = dims(p)\n", "name 'p' is not defined", 'dims takes names, in quotes: p = dims("p")'),
    ("@loss(wrt='x')\ndef f(x: Tensor):\n    return 1\n", "Tensor has at least 1 dimension, not 0", "Tensor[b, n, d]"),
    ("@loss(wrt='x')\ndef f(x: SPD[n, n]):\n    return 1\n", "SPD has 1 dimension, not 2", "SPD[n]"),
    ("@loss(wrt='x')\ndef f(x: Indices[n]):\n    return 1\n", "Indices has 2 dimensions, not 1", "Indices[m, n]"),
    (
        "@loss(wrt='x')\ndef f(x: Vector[n], i: Indices[n, d]):\n    return 1\n",
        "do not determine d",
        "let d be an axis",
    ),
    (
        "@loss(wrt=('x', 'i'))\ndef f(x: Vector[n], i: Indices[d, n]):\n    return 1\n",
        "i is in wrt, but it holds indices",
        "U[i]",
    ),
    (
        "@loss(wrt='x')\ndef f(x: Vector[n], i: Indices[d, n, integer]):\n    return 1\n",
        "cannot be integer",
        "facts are those of arrays of numbers",
    ),
    ("@loss(wrt='i')\ndef f(x: Vector[n], i: Indices[d, n]):\n    return i\n", "i is in wrt", "U[i]"),
    ("@loss(wrt='x')\ndef f(x: Vector[n], i: Indices[d, n]):\n    return i\n", "returns <the indices i>", "U[i]"),
    ("@loss(wrt='x')\ndef f(x: Diagonal[n, simplex]):\n    return 1\n", "cannot be declared simplex", "gradient"),
    ("@loss(wrt='x')\ndef f(x: Vector[n]):\n    return np.ones(500)\n", "returns an array of shape (500,)", "formula"),
    ("@loss(wrt='x')\ndef f(x: dict(a=1)):\n    return 1\n", "x is declared as a dict, which is no type", "Vector[n]"),
]


@pytest.mark.parametrize(("text", "message", "hint"), FILES, ids=[t for t, _, _ in FILES])
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "neighbour.py").write_text("helper = 1\n", encoding="utf-8")
    path = tmp_path / "a.py"
    path.write_text(TOP + text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _ = [made.tape for made in load_spec(path).values()]
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert str(tmp_path) not in caught.value.message
    assert caught.value.place is not None


def test_the_text_of_a_syntax_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("def f(w):\n    return np.sum(w) +\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(Path("a.py"))
    assert str(caught.value) == (
        "a.py:2:23: invalid syntax\n"
        "        return np.sum(w) +\n"
        "                          ^\n"
        "hint: the line ends in +: what follows it is missing; a formula over several lines stands in brackets"
    )


SYNTAX = [
    ("return np.sum(w", "'(' was never closed", "the bracket that closes it is missing"),
    ("return (1, 2]", "does not match", "brackets close in the order"),
    ("return np.sum(w))", "unmatched ')'", "brackets close in the order"),
    ("if w > 0\n        return 1", "expected ':'", "a colon ends the line"),
    ("return w if w > 0", "expected 'else'", "np.where(condition, a, b)"),
    ("return 2w", "invalid decimal literal", "2 * x"),
    ("return w \N{NOT EQUAL TO} 2", "invalid character", "Python's own signs"),
    ("3 = w", "cannot assign", "on the left of = stands a name"),
    ("if w = 1: return 2", "'=='", "== compares"),
    ("retrun w", "invalid syntax", "did you mean return?"),
    ("return w  v", "invalid syntax", "v cannot stand here: before it an operator"),
    ("return w === 1", "invalid syntax", "= cannot stand here: before it a name or number"),
    ("for i in range(3) return w", "", "return cannot stand here"),
    ("return w and", "invalid syntax", "the line ends in and"),
    ("    return w", "unexpected indent", "four spaces to the right of its def"),
    ("print w", "Missing parentheses", "print(...)"),
]


@pytest.mark.parametrize(("line", "message", "hint"), SYNTAX, ids=[line for line, _, _ in SYNTAX])
def test_what_python_cannot_read(tmp_path: Path, line: str, message: str, hint: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"def f(w):\n    v = w\n    {line}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    error = caught.value
    assert error.message.startswith("invalid syntax") and error.message.count("invalid syntax") == 1
    assert message in error.message and hint in error.hint
    assert error.place is not None and error.place.line == 3 and "^" in error.place.excerpt()


# ---- several errors at once

SEVERAL = (
    TOP
    + "@loss(wrt='v')\ndef one(x: Vector[n]):\n    return x @ x\n"
    + GOOD
    + "@loss(wrt='x')\ndef two(x: Vector[n], y: float):\n    return x @ x\n"
    + "@loss\ndef three(x: Vector[n]):\n    return x @ x\n"
    + "@loss('x')\ndef four(x: Vector[n]):\n    return x @ x\n"
    + "@loss(wrt='x')\ndef five(x: Vector[n], y: Vector[d]):\n    return x @ y\n"
)


def test_wrong_losses_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(SEVERAL, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_spec(path)
    errors = caught.value.errors
    assert [e.place.line for e in errors if e.place] == [4, 11, 14, 16, 21]
    text = str(caught.value)
    assert all(word in text for word in ("'v', which is no argument", "declared as float", "@loss wants wrt", "x @ y"))
    assert "good" not in text


def test_errors_before_the_file_stops_are_reported_too(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TOP + "@loss(wrt='v')\ndef one(x: Vector[n]):\n    return x @ x\n1 / 0\n", encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_spec(path)
    assert [e.place.line for e in caught.value.errors if e.place] == [4, 7]


def test_a_wrong_loss_that_another_uses_is_reported_once(tmp_path: Path) -> None:
    text = "@loss(wrt='v')\ndef one(x: Vector[n]):\n    return x @ x\n"
    text += "@loss(wrt='x')\ndef two(x: Vector[n]):\n    return one(x)\n"
    path = tmp_path / "a.py"
    path.write_text(TOP + text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value).count("which is no argument") == 1


def test_one_wrong_loss_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TOP + GOOD + "@loss(wrt='v')\ndef one(x: Vector[n]):\n    return x @ x\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert not isinstance(caught.value, SpecErrors)


# ---- names


def test_any_python_name_will_do(tmp_path: Path) -> None:
    names = ["np", "loss", "n", "self", "print", "λ", "x1_", "_", "__x", "match", "dw", "out", "f", "str", "ﬁt"]
    arguments = ", ".join(f"{name}: Scalar" for name in names)
    total = " + ".join(names)
    path = tmp_path / "a.py"
    path.write_text(f"{TOP}@loss(wrt='ﬁt')\ndef Größe({arguments}):\n    return ({total}) ** 2\n", encoding="utf-8")
    made = load_spec(path)["Größe"]
    assert [a.name for a in made.arguments][-1] == "fit" and made.wrt == ("fit",)
    assert made(*range(len(names))) == sum(range(len(names))) ** 2
    assert made.tape.result.op == "power"


@pytest.mark.parametrize("name", ["class", "2n", "n-d", "", "n()", "__import__('os')"])
def test_names_that_dimensions_cannot_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"from gradgen import dims\nx = dims({name!r})\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert 'dims("n d")' in caught.value.hint


@pytest.mark.parametrize("guard", ["except Exception", "except SpecError", "except"])
def test_an_error_that_the_spec_catches_is_an_error(tmp_path: Path, guard: str) -> None:
    """What stands behind the except is not what the spec says of numbers."""
    error = error_of(tmp_path, "\n    ".join(("try:", "    return float(s)", f"{guard}:", "    return s")))
    assert error.message == "float(s): a traced array cannot become a Python number"
    assert error.place is not None and error.place.line == LINE + 1


def test_what_is_printed_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "spec.py"
    path.write_text(f"{HEAD}    f'{{x @ x:.3f}} {{n:d}} {{x}}'\n    return x @ x\n", encoding="utf-8")
    assert load_spec(path)["f"].tape.result.op == "matmul"
