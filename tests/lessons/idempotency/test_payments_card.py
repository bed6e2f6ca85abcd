"""The card company of lesson 09: it says what is the matter when it cannot be asked."""

import shutil
from pathlib import Path

import pytest

from labkit.chaos.processes import ServiceError
from labkit.lessons.idempotency.card import Company


def test_a_key_makes_the_second_try_harmless_and_no_key_does_not(tmp_path: Path) -> None:
    with Company(tmp_path) as company:
        for _ in range(2):
            company.charge("17", 499, key="a")
            company.charge("18", 499)
        assert company.charges() == {"17": 1, "18": 2}


def test_a_company_that_has_died_says_so_with_its_last_words(tmp_path: Path) -> None:
    with Company(tmp_path) as company:
        process = company._process
        assert process is not None
        process.log.write_text("ImportError: its files are being replaced\n")
        process.kill()
        with pytest.raises(ServiceError, match="its process has ended") as error:
            company.charge("17", 499)
        assert "ImportError: its files are being replaced" in str(error.value)
        assert "restart the kernel" in error.value.cure
    assert not process.alive()


def test_a_company_that_lives_and_fails_says_that_it_runs(tmp_path: Path) -> None:
    with Company(tmp_path) as company:
        with pytest.raises(ServiceError, match="its process runs") as error:
            company._ask("POST", "/charge", "no JSON")
        assert "JSONDecodeError" in str(error.value)
        shutil.rmtree(tmp_path)
        with pytest.raises(ServiceError, match="log lines:\nnothing"):
            company._ask("POST", "/charge", "no JSON")
