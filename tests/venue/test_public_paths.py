from __future__ import annotations

import pytest

from bybitd.venue.enums import CATEGORIES
from bybitd.venue.errors import PathError
from bybitd.venue.public_paths import PUBLIC_PATHS, check_public


def test_every_path_is_one_of_the_exchange_and_its_categories_exist() -> None:
    for path, categories in PUBLIC_PATHS.items():
        assert path.startswith("/v5/")
        assert not path.endswith("/")
        assert set(categories) <= set(CATEGORIES)
        assert check_public(path) == categories


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v5/market/ticker", "did you mean /v5/market/tickers?"),
        ("/v5/order/realtime", "no public GET"),
        ("/v5/spread/order/realtime", "no public GET"),
        ("/v5/market/tickers?category=linear", "no public GET"),
        ("/v5/market/../order/create", "no public GET"),
        ("", "such as /v5/market/tickers"),
    ],
)
def test_what_is_not_public_is_refused_with_what_would_be_right(path: str, says: str) -> None:
    with pytest.raises(PathError) as caught:
        check_public(path)
    assert says.replace("?", "") in str(caught.value).replace("?", "")
