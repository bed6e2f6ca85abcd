"""The pictures of lesson 08: `microscope` (all orders), `rails` (one order), `order_price`; `crowd` colours them."""
