"""The orders of the course: 5,000 grocery baskets of March 2017. `data/README.md` says where they come from.

from labkit.shop import orders
orders.load(limit=1)[0].placed_event()
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError
from labkit.base.settings import course_root

ORDERS_FILE = "orders-2017-03.csv.gz"
PRODUCTS_FILE = "products.csv.gz"
UNKNOWN = "UNKNOWN PRODUCT"

_CURE = "fetch the file again (`git checkout -- data`), or cut it anew with scripts/cut_orders.py"


class DataError(LabError):
    """A file in `data/` is missing or says something that cannot be."""


@dataclass(frozen=True)
class Line:
    """One line of an order. `paid_cents` is for the whole line, not for one piece."""

    product: str
    name: str
    quantity: int
    paid_cents: int


@dataclass(frozen=True)
class Order:
    """What one household put into one basket. Ids are strings: they are names, and one does not add names up."""

    id: str
    household: str
    store: str
    placed_at: datetime
    total_cents: int
    lines: tuple[Line, ...]

    def placed_event(self) -> dict[str, Any]:
        """The fact "this order was placed", as a dict that `json.dumps` takes. Attribute names are CloudEvents'.

        The same order always gives the same event with the same id, so that a doubled event can be recognised.
        """
        lines = [{"product": x.product, "quantity": x.quantity, "paid_cents": x.paid_cents} for x in self.lines]
        return {
            "specversion": "1.0",
            "id": f"{self.id}-placed",
            "source": "/shop/checkout",
            "type": "OrderPlaced",
            "time": self.placed_at.isoformat(),
            "subject": self.id,
            "data": {
                "order": self.id,
                "household": self.household,
                "store": self.store,
                "total_cents": self.total_cents,
                "lines": lines,
            },
        }


def load(limit: int | None = None, folder: Path | None = None) -> list[Order]:
    """The orders, oldest first; at most `limit` of them.

    folder: where the two files are (default: `data/` of the course).
    Raises DataError that names file, line and field when something cannot be read.
    """
    if limit is not None and limit < 0:
        raise DataError(f"limit={limit}: there is no such number of orders.", "give 0 or more, or None for all")
    folder = folder or course_root() / "data"
    names = {number: name for _, number, name in _products(folder / PRODUCTS_FILE)}
    found: list[Order] = []
    for where, row in _rows(folder / ORDERS_FILE):
        if limit is not None and len(found) >= limit:
            break
        found.append(_order(where, row, names))
    return found


def _products(path: Path) -> Iterator[tuple[str, str, str]]:
    for where, row in _rows(path):
        yield where, _field(row, "product_id", where), _field(row, "name", where) or UNKNOWN


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(where, row) for every row of a packed CSV; `where` names file and line for error messages."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield f"{path.name}, line {reader.line_num}", row
    except FileNotFoundError:
        raise DataError(f"There is no {path}.", _CURE) from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {error}.", _CURE) from error


def _order(where: str, row: dict[str, str], names: dict[str, str]) -> Order:
    lines = tuple(_line(where, part, names) for part in _field(row, "lines", where).split())
    order = Order(
        id=_name(row, "order_id", where),
        household=_name(row, "household_id", where),
        store=_name(row, "store_id", where),
        placed_at=_time(row, where),
        total_cents=_number(_field(row, "total_cents", where), "total_cents", where),
        lines=lines,
    )
    if len(lines) != _number(_field(row, "line_count", where), "line_count", where):
        raise _bad(where, "line_count", row["line_count"], f"the order has {len(lines)} lines")
    if order.total_cents != sum(line.paid_cents for line in lines):
        raise _bad(where, "total_cents", row["total_cents"], "it is not the sum of the lines")
    return order


def _line(where: str, text: str, names: dict[str, str]) -> Line:
    product, quantity, paid = [*text.split(":"), "", ""][:3]
    return Line(
        product=product,
        name=names.get(product, UNKNOWN),
        quantity=_number(quantity, "lines", where),
        paid_cents=_number(paid, "lines", where),
    )


def _field(row: dict[str, str], field: str, where: str) -> str:
    value = row.get(field)
    if value is None:
        raise DataError(f"{where}: the field {field} is missing.", _CURE)
    return value


def _name(row: dict[str, str], field: str, where: str) -> str:
    value = _field(row, field, where)
    if not value:
        raise _bad(where, field, value, "it is empty")
    return value


def _number(text: str, field: str, where: str) -> int:
    if not (text.isascii() and text.isdigit()):  # int() would also take "-1", "1_000" and " 7"
        raise _bad(where, field, text, "that is not a whole number")
    return int(text)


def _time(row: dict[str, str], where: str) -> datetime:
    text = _field(row, "placed_at", where)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(where, "placed_at", text, "that is not a time") from None
    if moment.tzinfo is None:
        raise _bad(where, "placed_at", text, "it does not say its time zone")
    return moment


def _bad(where: str, field: str, value: str, why: str) -> DataError:
    return DataError(f"{where}: {field} is {value!r}: {why}.", _CURE)
