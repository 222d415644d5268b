"""Four small real tables with labels; SOURCES.md beside this file has their sources, licence and changes."""

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.tables import read_csv


@dataclass(frozen=True, eq=False)
class Table:
    """Labelled data.

    Attributes
    ----------
    data : (n, dim) float64.
    feature_names : the names of the dim columns.
    target : (n,) int64, the class of each row as an index into `target_names`.
    target_names : the names of the classes.
    source : creators, year, title, DOI and licence, to be quoted with results.
    """

    data: FloatArray
    feature_names: tuple[str, ...]
    target: NDArray[np.int64]
    target_names: tuple[str, ...]
    source: str


def iris() -> Table:
    """150 irises of three species: length and width of sepals and petals in cm.

    References
    ----------
    R. A. Fisher (1936), The use of multiple measurements in taxonomic problems, doi:10.1111/j.1469-1809.1936.tb02137.x.
    """
    return _table("iris.csv", ("setosa", "versicolor", "virginica"), "R. A. Fisher (1936), Iris", "10.24432/C56C76")


def wine() -> Table:
    """178 Italian wines of three cultivars: 13 chemical and physical measurements."""
    names = ("class_0", "class_1", "class_2")
    return _table("wine.csv", names, "S. Aeberhard and M. Forina (1992), Wine", "10.24432/C5PC7J")


def breast_cancer() -> Table:
    """569 breast masses, 212 malignant (class 0) and 357 benign (class 1): 30 measurements of the cells' nuclei.

    References
    ----------
    W. N. Street, W. H. Wolberg and O. L. Mangasarian (1993), Nuclear feature extraction for breast tumor diagnosis,
    doi:10.1117/12.148698.
    """
    creators = "W. Wolberg, O. Mangasarian, N. Street and W. Street (1993)"
    title = f"{creators}, Breast Cancer Wisconsin (Diagnostic)"
    return _table("breast_cancer.csv", ("malignant", "benign"), title, "10.24432/C5DW2B")


def digits() -> Table:
    """1797 handwritten digits: images of 8 by 8 pixels, row by row, each pixel a whole number from 0 to 16."""
    title = "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits"
    return _table("digits.csv.gz", tuple("0123456789"), title, "10.24432/C50P49")


def _table(file: str, target_names: tuple[str, ...], title: str, doi: str) -> Table:
    """The table in a file of this folder, whose last column is the class."""
    with resources.as_file(resources.files(__package__) / file) as path:
        names, rows = read_csv(path)
    return Table(
        data=np.ascontiguousarray(rows[:, :-1]),
        feature_names=tuple(names[:-1]),
        target=rows[:, -1].astype(np.int64),
        target_names=target_names,
        source=f"{title}, UCI Machine Learning Repository, doi:{doi}, CC BY 4.0",
    )
