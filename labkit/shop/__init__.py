"""Floor 3: the shop. Its orders, and later the services that react to them."""
